"""The keys of the windows, for those who ask the command line."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from realtime_vibe.outputs.view.keys import key_texts


def key_table() -> str:
    """One line for each thing a key of the windows does."""
    texts = key_texts()
    width = max(map(len, texts.values()))
    return "\n".join(f"{keys:<{width}}  {text}" for text, keys in texts.items())


class ListKeys(argparse.Action):
    """Prints the keys and ends the program, as `--version` does."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Shows the table on stdout; exit code 0."""
        sys.stdout.write(key_table() + "\n")
        parser.exit()
