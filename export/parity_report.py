"""Does a built engine compute what the engine it was built from computes, on a real clip?

Legend: N runs, J = 24 joints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.calibration import Feeds
from realtime_vibe.backends.base import AnyArray, InferenceSession
from realtime_vibe.errors import ExportError
from realtime_vibe.packets import FloatArray

MM = 1e3
MEAN_JOINT_LIMIT_MM = 2.0
"""Small beside the 30 mm by which joints jitter from frame to frame: two such engines look the same."""
_LIMITS = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 3e-2, "int8": 1e-1}
"""Largest mean difference of an output, as a share of the output's largest magnitude."""
_MOST_UNPAIRED = 0.02
"""Share of frames in which only one of the two engines may see a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputError:
    """How one output of a graph differs over all runs."""

    max_absolute: float
    mean_absolute: float
    max_relative: float
    """Of the output's largest magnitude in any run."""
    mean_relative: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JointError:
    """How far apart two engines put the joints of one clip, roots laid together."""

    mean_mm: float
    max_mm: float
    frames: int
    unpaired_frames: int
    """Frames in which only one of them saw a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphParity:
    """How one built graph differs from the one it was built from."""

    precision: str
    """Of the graph: some stay single where rounding hurts."""
    outputs: Mapping[str, OutputError]
    runs: int
    convolutions_kept: int = 0
    """Of a graph in int8, from the first on: those in single precision."""

    def content(self) -> dict[str, Any]:
        """As `engine.json` states it."""
        kept = {"convolutions_kept": self.convolutions_kept} if self.convolutions_kept else {}
        return {
            "precision": self.precision,
            **kept,
            "runs": self.runs,
            "outputs": {name: _rounded(asdict(error)) for name, error in self.outputs.items()},
        }


def compare_graph(
    expected: InferenceSession, built: InferenceSession, feeds: Feeds, precision: str
) -> GraphParity:
    """Runs both over what the live pipeline fed to the first, each with its own carried state.

    Args:
        expected: the single precision graph.
        feeds: recorded inputs. Where there is an input `hidden`, only its first value of each person
            is taken; from there each graph goes on with its own `next_hidden`.
    """
    found: dict[str, list[AnyArray]] = {}
    wanted: dict[str, list[AnyArray]] = {}
    for results, session in ((wanted, expected), (found, built)):
        hidden: AnyArray | None = None
        for feed in feeds:
            given = dict(feed)
            if hidden is not None and given["hidden"].any():
                given["hidden"] = hidden
            out = session.run(given)
            hidden = out.get("next_hidden")
            for name, value in out.items():
                results.setdefault(name, []).append(np.array(value))
    return GraphParity(
        precision=precision,
        outputs={name: _output_error(wanted[name], found[name]) for name in wanted},
        runs=len(feeds),
    )


def compare_joints(
    expected: Sequence[FloatArray | None], built: Sequence[FloatArray | None]
) -> JointError:
    """Distances of the joints of two runs over one clip.

    Args:
        expected: (J, 3) [m] of each frame, root at the origin; None: nobody was seen.

    Raises:
        ExportError: there is no frame in which both saw a person.
    """
    pairs = [
        (one, other)
        for one, other in zip(expected, built, strict=True)
        if one is not None and other is not None
    ]
    unpaired = sum(
        (one is None) != (other is None) for one, other in zip(expected, built, strict=True)
    )
    if not pairs:
        raise ExportError(
            f"the built engine sees nobody in {len(expected)} frames, expected the person that the engine "
            "it was built from sees: nothing was written"
        )
    distance: NDArray[np.floating] = np.linalg.norm(
        np.stack([one - other for one, other in pairs]), axis=-1
    )
    return JointError(
        mean_mm=float(distance.mean()) * MM,
        max_mm=float(distance.max()) * MM,
        frames=len(pairs),
        unpaired_frames=unpaired,
    )


def check_graph(name: str, parity: GraphParity) -> None:
    """Refuses a graph whose outputs differ too much.

    Raises:
        ExportError: they do; says which output, by how much, and the limit.
    """
    limit = _LIMITS[parity.precision]
    for output, error in parity.outputs.items():
        if not error.mean_relative <= limit:
            raise ExportError(
                f"output {output} of {name} in {parity.precision} differs by {error.mean_relative:.1e} of its "
                f"range in the mean, expected at most {limit:.0e}: nothing was written"
            )


def check_joints(error: JointError, precision: str, limit_mm: float = MEAN_JOINT_LIMIT_MM) -> None:
    """Refuses an engine that moves joints too far.

    Raises:
        ExportError: it does; says by how much, and the limit.
    """
    if not error.mean_mm <= limit_mm:
        raise ExportError(
            f"the engine in {precision} moves joints by {error.mean_mm:.2f} mm in the mean "
            f"({error.max_mm:.1f} mm at most), expected at most {limit_mm:.1f} mm: nothing was written"
        )
    if error.unpaired_frames > _MOST_UNPAIRED * (error.frames + error.unpaired_frames):
        raise ExportError(
            f"the engine in {precision} sees a person in other frames ({error.unpaired_frames} of "
            f"{error.frames + error.unpaired_frames}), expected at most {_MOST_UNPAIRED:.0%}: nothing was written"
        )


def joint_content(error: JointError, limit_mm: float) -> dict[str, Any]:
    """As `engine.json` states it."""
    return {"limit_mean_mm": limit_mm, **_rounded(asdict(error))}


def _output_error(expected: list[AnyArray], found: list[AnyArray]) -> OutputError:
    wanted = np.stack(expected).astype(np.float64)
    difference = np.abs(wanted - np.stack(found))
    scale = max(float(np.abs(wanted).max()), 1e-12)
    largest, mean = float(difference.max()), float(difference.mean())
    return OutputError(
        max_absolute=largest,
        mean_absolute=mean,
        max_relative=largest / scale,
        mean_relative=mean / scale,
    )


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {
        name: value if isinstance(value, int) else float(f"{value:.3g}")
        for name, value in values.items()
    }
