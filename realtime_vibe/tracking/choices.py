"""What can be chosen about tracking; without NumPy, for `--help`."""

from dataclasses import dataclass

TRACKERS = ("auto", "blazepose", "mediapipe", "boxes")
"""`auto`: BlazePose, or boxes for engines of crops with another detector."""

BLAZEPOSE = "blazepose"
"""Name of the folder, and of the detector that comes out of it."""

LITE, FULL, HEAVY = "lite", "full", "heavy"
TRACKER_MODELS = (LITE, FULL, HEAVY)
"""BlazePose's landmark networks, from the fastest to the most exact."""

DETECT_EVERY = 15
"""Frames between two looks for newcomers, at 30 a second; as many seconds where fewer come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerChoice:
    """What can be chosen about a tracker; the defaults of the settings of the same names stand here."""

    tracker: str = "auto"
    """One of `TRACKERS`."""
    detector: str = BLAZEPOSE
    """`blazepose`, or name or path of a folder with a `detector.json`."""
    max_people: int = 1
    detect_every: int = DETECT_EVERY
    tracker_model: str = FULL
    """One of `TRACKER_MODELS`."""
    refine: bool = True
    """Take the landmark network with heat maps, as MediaPipe does: more exact in pixels."""
    backend: str = "auto"
    """What opens the graphs."""

    @property
    def landmark_graph(self) -> str:
        """The graph of a BlazePose folder that finds landmarks."""
        return "landmarks_heat" if self.refine else "landmarks"


DEFAULT_TRACKER = TrackerChoice()
