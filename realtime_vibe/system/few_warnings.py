"""Warnings that may come with every frame, said a few times and counted."""

import logging

MOST_SAID = 3


class FewWarnings:
    """One kind of warning of a module: the first `MOST_SAID` are warnings, the others for `--log-level debug`.

    `text` has `%` places for the arguments of `add`.
    """

    def __init__(self, module: str, text: str) -> None:
        self._logger, self._text = logging.getLogger(module), text
        self.count = 0
        """How often so far."""

    def add(self, *arguments: object) -> None:
        """Says it once more."""
        level = logging.WARNING if self.count < MOST_SAID else logging.DEBUG
        self.count += 1
        self._logger.log(level, self._text, *arguments)
