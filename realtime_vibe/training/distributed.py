"""Where a training process computes, and what it agrees on with the others.

`torchrun` starts several processes and tells each its rank through the environment; without it there
is one. Processes exchange gradients through NCCL on CUDA and through gloo on CPUs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from realtime_vibe.errors import ConfigError

DeviceName = Literal["auto", "cpu", "cuda"]

_SEED_STRIDE = 1_000_003


@dataclass(frozen=True, slots=True, kw_only=True)
class DataParallelRank:
    """A process of data-parallel training: its rank among `num_ranks`, and its device."""

    device: torch.device
    rank: int = 0
    num_ranks: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def seed(self, seed: int) -> int:
        """This process's own seed, so that no two see the same data; rank 0 keeps the given one."""
        return seed + _SEED_STRIDE * self.rank

    def wrapped(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over all processes; itself when there is one.

        Starts every process with the weights and buffers of rank 0.
        """
        if self.num_ranks == 1:
            return module
        # Buffers never change: once is enough. Single frames bypass the recurrent encoder, whose weights
        # then have no gradient.
        return DistributedDataParallel(
            module, forward_sync_buffers=False, find_unused_parameters=True
        )

    def any_rank(self, flag: bool) -> bool:
        """Whether any process says so."""
        if self.num_ranks == 1:
            return flag
        votes = torch.tensor([float(flag)], device=self.device)
        torch.distributed.all_reduce(votes)
        return bool(votes.item() > 0)

    def gathered(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        """Every process's state in order of rank; empty on all but rank 0."""
        if self.num_ranks == 1:
            return [state]
        states: list[Any] | None = [None] * self.num_ranks if self.is_first else None
        torch.distributed.gather_object(state, states)
        return states or []


def chosen_device(name: DeviceName, local_rank: int = 0) -> torch.device:
    """The device of that name; `auto` is CUDA where there is one.

    Raises:
        ConfigError: `cuda` without a CUDA device.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError(
            "--device cuda: torch sees no CUDA device; use --device cpu, or install the CUDA build "
            "of torch and a driver"
        )
    if name == "cpu" or not available:
        return torch.device("cpu")
    return torch.device("cuda", local_rank)


@contextmanager
def joined_processes(device: DeviceName) -> Iterator[DataParallelRank]:
    """Joins the group that `torchrun` started, if it did, and leaves it at the end.

    Raises:
        ConfigError: the device does not exist.
    """
    num_ranks = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = chosen_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if num_ranks == 1:
        yield DataParallelRank(device=chosen)
        return
    torch.distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield DataParallelRank(
            device=chosen, rank=torch.distributed.get_rank(), num_ranks=num_ranks
        )
    finally:
        torch.distributed.destroy_process_group()
