"""Several processes: equal weights, own data, one writer, resumable; and devices that do not exist."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from realtime_vibe.errors import ConfigError
from realtime_vibe.training.distributed import DataParallelRank, chosen_device, joined_processes

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import os
import socket
import sys
from pathlib import Path

import numpy as np
import torch
import torch._dynamo  # as DistributedDataParallel does

from realtime_vibe.body.model_file import load_body
from realtime_vibe.models.landmark_skeleton import LandmarkSkeleton, skeleton_arrays
from realtime_vibe.training.distributed import joined_processes
from realtime_vibe.training.samples.motion import MotionClip, MotionPool
from realtime_vibe.training.network import NetworkSize
from realtime_vibe.training.samples.sequences import SequenceSampler, SequenceSettings
from realtime_vibe.training.settings import DiscriminatorSettings, TrainSettings
from realtime_vibe.training.samples.tracker_noise import NoiseLevels
from realtime_vibe.training.trainer import Start, Trainer, TrainingData, train
import realtime_vibe.training.trainer as trainer

folder = Path(sys.argv[1])
quats = np.random.default_rng(0).normal(size=(200, 24, 4)).astype(np.float32)
clip = MotionClip(name="any", quats=quats, trans=np.zeros((200, 3), np.float32))
skeleton = skeleton_arrays(load_body(Path("engines/blazepose-gru/body.npz")))
body = LandmarkSkeleton(skeleton)
settings = TrainSettings(
    steps=6, per_frame_share=0.34, frames_per_step=30, chunk_frames=16, curve_every=2,
    discriminator=DiscriminatorSettings(hidden=8, num_windows=2),
    size=NetworkSize(embedded=16, hidden=16, regressor=16),
)
kept = []
advance, signals, wrote = Trainer.advance, trainer.EndingSignals, trainer.write_checkpoint


class Asked(signals):
    steps = 0

    @property
    def caught(self):
        Asked.steps += 1
        return ["SIGTERM"] * (Asked.steps > 3)

    @caught.setter
    def caught(self, _):
        pass


def noted(self):
    kept[:] = [self]
    return advance(self)


Trainer.advance = noted


def learn(process, out, as_name, resume=False):
    pool = MotionPool([clip], 2, 300, np.random.default_rng(process.seed(1)))
    source = SequenceSampler(
        pool, body, SequenceSettings(num_frames=34, num_streams=3), NoiseLevels(), process.seed(1)
    )
    trainer.write_checkpoint = lambda folder, content: (
        (folder / f"written_by_{process.rank}_{len(content['ranks'])}").touch(), wrote(folder, content)
    )
    data = TrainingData(source=source, pool=pool, skeleton=skeleton)
    train(settings, data, out, process, Start(resume=resume))
    process.any_rank(False)  # the first process has written
    state = kept[0]
    torch.save(
        {
            "network": state._network.state_dict(),
            "discriminator": state._adversary.network.state_dict(),
            "average": state._averaged.values,
            "hidden": state._hidden,
            "gradients": [p.grad for p in state._network.parameters()],
            "step": state._step,
        },
        folder / f"{as_name}_rank{process.rank}.pt",
    )


with socket.create_server(("127.0.0.1", 0)) as server:
    port = server.getsockname()[1]
other = os.fork()  # one process has imported everything for both
os.environ |= {  # as torchrun tells them
    "RANK": str(int(other == 0)), "LOCAL_RANK": str(int(other == 0)), "WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
}
with joined_processes("cpu") as process:
    learn(process, folder / "whole", "whole")
    # Only one process gets the signal, yet both must stop at the same step.
    trainer.EndingSignals = Asked if process.rank == 1 else signals
    learn(process, folder / "parts", "stopped")
    trainer.EndingSignals = signals
    learn(process, folder / "parts", "resumed", resume=True)
sys.exit(os.waitpid(other, 0)[1] if other else 0)
"""


def _two_ranks(tmp_path):
    """What both processes hold after each of three runs: name -> by rank."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {
        name: [torch.load(tmp_path / f"{name}_rank{rank}.pt", weights_only=True) for rank in (0, 1)]
        for name in ("whole", "stopped", "resumed")
    }


def _assert_equal(first, second, *parts):
    for part in parts:
        for name, value in first[part].items():
            assert torch.equal(value, second[part][name]), (part, name)


@pytest.mark.slow
@pytest.mark.timeout(300)  # a busy machine takes minutes
def test_two_processes_learn_one_network(tmp_path):
    runs = _two_ranks(tmp_path)
    ranks = runs["whole"]
    _assert_equal(*ranks, "network", "discriminator", "average")
    for first, second in zip(ranks[0]["gradients"], ranks[1]["gradients"], strict=True):
        assert torch.equal(first, second)
    assert not torch.equal(ranks[0]["hidden"], ranks[1]["hidden"]), "both saw the same data"
    assert {path.name for path in (tmp_path / "whole").iterdir()} == {
        "network.pt", "checkpoint.pt", "curve.csv", "written_by_0_2",
    }  # fmt: skip
    assert [rank["step"] for rank in runs["stopped"]] == [3, 3]
    for before, after in zip(ranks, runs["resumed"], strict=True):
        _assert_equal(before, after, "network", "discriminator", "average")
        assert torch.equal(before["hidden"], after["hidden"])


def test_one_process_needs_no_group():
    with joined_processes("cpu") as process:
        assert process == DataParallelRank(device=torch.device("cpu"))
        assert process.is_first
        assert process.seed(7) == 7
        assert process.any_rank(True)
        assert not process.any_rank(False)
        assert process.gathered({"a": 1}) == [{"a": 1}]
        layer = torch.nn.Linear(1, 1)
        assert process.wrapped(layer) is layer
    assert not torch.distributed.is_initialized()


def test_every_process_has_a_seed_of_its_own():
    seeds = {
        DataParallelRank(device=torch.device("cpu"), rank=rank, num_ranks=8).seed(seed)
        for rank in range(8)
        for seed in range(100)
    }
    assert len(seeds) == 800


def test_cuda_that_is_not_there_is_an_error():
    assert chosen_device("cpu").type == "cpu"
    if torch.cuda.is_available():
        assert chosen_device("auto").type == "cuda"
        return
    assert chosen_device("auto").type == "cpu"
    with pytest.raises(ConfigError, match="torch sees no CUDA device"):
        chosen_device("cuda")
