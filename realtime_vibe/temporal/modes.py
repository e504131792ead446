"""How the network's memory is kept from frame to frame; without NumPy, for `--help`."""

MODES = ("stream", "window", "demo")
"""See `temporal.stage.TemporalStage`."""
