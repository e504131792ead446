"""The learning curve: means of each term over some steps, one CSV line each."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realtime_vibe.errors import OutputError
from realtime_vibe.system.file_boundary import file_boundary
from realtime_vibe.system.placing import write_atomically


class CsvLogger:
    """Collects terms of a learning curve and writes their means; a column without any value stays empty.

    Sums stay on the terms' device until a line is due, because asking a GPU for numbers stops it.

    Args:
        path: the CSV file; None collects and writes nothing.
        terms: columns after step, seconds and rate.
        every: steps in a line.
    """

    def __init__(self, path: Path | None, terms: Sequence[str], every: int) -> None:
        self._path = path
        self._terms = tuple(terms)
        self._every = every
        self._sums: dict[str, Tensor] = {}
        self._counts = dict.fromkeys(self._terms, 0)

    def begin(self, last_step: int) -> None:
        """Starts the file anew, or cuts lines after `last_step` off when training goes on.

        Raises:
            OutputError: it cannot be written.
        """
        if self._path is None:
            return
        head = ["step", "seconds", "rate", *self._terms]
        with file_boundary(self._path, OutputError, fault="cannot be written"):
            lines: list[list[str]] = []
            if last_step > 0 and self._path.is_file():
                with self._path.open(newline="") as file:
                    rows = list(csv.reader(file))[1:]
                # A full disk or a power cut leaves part of a line.
                lines = [row for row in rows if len(row) == len(head) and int(row[0]) <= last_step]
        text = io.StringIO(newline="")
        csv.writer(text).writerows([head, *lines])
        content = text.getvalue().encode()
        write_atomically(self._path, lambda file: file.write(content), overwrite=True)

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Takes one step's terms in, each a scalar."""
        for name, value in values.items():
            number = value.detach().double()
            self._sums[name] = self._sums[name] + number if name in self._sums else number
            self._counts[name] += 1

    def line(self, step: int, seconds: float, rate: float) -> dict[str, float] | None:
        """Writes a line when one is due at this step; returns its means, or None.

        Raises:
            OutputError: it cannot be written.
        """
        if step % self._every:
            return None
        means = {name: value.item() / self._counts[name] for name, value in self._sums.items()}
        self._sums, self._counts = {}, dict.fromkeys(self._terms, 0)
        if self._path is not None:
            row = [f"{means[name]:.6g}" if name in means else "" for name in self._terms]
            with (
                file_boundary(self._path, OutputError, fault="cannot be written"),
                self._path.open("a", newline="") as file,
            ):
                csv.writer(file).writerow([step, f"{seconds:.1f}", f"{rate:.4g}", *row])
        return means

    def state_dict(self) -> dict[str, Any]:
        """What was collected since the last line."""
        sums = {name: value.cpu() for name, value in self._sums.items()}
        return {"sums": sums, "counts": dict(self._counts)}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Puts back what `state_dict` gave."""
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._counts = dict(state["counts"])
