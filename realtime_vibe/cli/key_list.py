"""The keys of the windows, for those who ask the command line."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from realtime_vibe.outputs.view.keys import KEY_BINDINGS, Action

_KEY_TEXTS = {
    Action.PAUSE: "pause, and go on",
    Action.RECORD: "start or end a recording",
    Action.MIRROR: "show a mirror's picture, or not",
    Action.HUD: "status text on or off",
    Action.SCREENSHOT: "save a screenshot",
    Action.RESET_VIEW: "reset the 3D view",
    Action.RESET_SHAPE: "forget the body's shape",
    Action.CALIBRATE: "calibrate: stand still",
    Action.RELEASE: "release that person",
}
"""What a key does, where the action's own name is too short to be understood."""


def key_table() -> str:
    """One line for each thing a key of the windows does."""
    labels: dict[str, dict[str, None]] = {}  # the inner dict: labels once each, in order
    for binding in KEY_BINDINGS:
        text = _KEY_TEXTS.get(binding.action, binding.purpose)
        labels.setdefault(text, {})[binding.label] = None
    names = {text: ", ".join(keys) for text, keys in labels.items()}
    width = max(map(len, names.values()))
    return "\n".join(f"{keys:<{width}}  {text}" for text, keys in names.items())


class ListKeys(argparse.Action):
    """Prints the keys and ends the program, as `--version` does."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Shows the table on stdout; exit code 0."""
        sys.stdout.write(key_table() + "\n")
        parser.exit()
