"""What can be chosen about tracking; without NumPy, for `--help`."""

TRACKERS = ("auto", "blazepose", "mediapipe", "boxes")
"""`auto`: BlazePose, or boxes for engines of crops with another detector."""

BLAZEPOSE = "blazepose"
"""Name of the folder, and of the detector that comes out of it."""

LITE, FULL, HEAVY = "lite", "full", "heavy"
TRACKER_MODELS = (LITE, FULL, HEAVY)
"""BlazePose's landmark networks, from the fastest to the most exact."""

DETECT_EVERY = 15
"""Frames between two looks for newcomers."""
