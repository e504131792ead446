"""What happens to files that cannot be read: the first ends the job, or each is skipped and counted."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from realtime_vibe.errors import DatasetError, SourceError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


def load_each(
    paths: Iterable[Path], load: Callable[[Path], Item], *, skip_bad: bool = False
) -> tuple[list[Item], tuple[str, ...]]:
    """Loads files one by one, with a progress bar where somebody watches.

    Gives what was loaded, and with `skip_bad` what was wrong with the others: messages that name the file.

    Raises:
        DatasetError: the first one of `load`, unless `skip_bad`; so too for a SourceError. Other
            errors, such as a full disk, are no fault of the file and always end the job.
    """
    items: list[Item] = []
    skipped: list[str] = []
    for path in tqdm(list(paths), unit="file", leave=False, disable=None, delay=1.0):
        try:
            items.append(load(path))
        except (DatasetError, SourceError) as error:
            if not skip_bad:
                raise
            logger.warning("skipped: %s", error)
            skipped.append(str(error))
    return items, tuple(skipped)
