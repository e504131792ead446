"""Which camera, asked of the user: what `--source ask` does before anything else starts."""

import logging
from collections.abc import Callable
from typing import TextIO

from realtime_vibe.errors import SourceError
from realtime_vibe.sources.cameras import CameraInfo, describe_cameras, list_cameras

logger = logging.getLogger(__name__)


def choose_camera(
    answers: TextIO,
    questions: TextIO,
    *,
    cameras: Callable[[], tuple[CameraInfo, ...]] = list_cameras,
) -> int:
    """The number of the camera that the user wants; a single camera is taken without a question.

    The user types where `answers` come from, as `sys.stdin`, and reads `questions`, as `sys.stderr`.

    Raises:
        SourceError: there is no camera, or several and no terminal to ask at, or the user has left.
    """
    found = cameras()
    if not found:
        raise SourceError("found no camera: connect one, or give a video by --source FILE")
    if len(found) == 1:
        logger.info('taking the only camera: %d "%s"', found[0].index, found[0].name)
        return found[0].index
    if not (answers.isatty() and questions.isatty()):
        raise SourceError(
            f"cannot ask which camera to take: this is no terminal; {describe_cameras(found)}: "
            f"give its number, such as --source {found[0].index}"
        )
    return _ask(answers, questions, found)


def _ask(answers: TextIO, questions: TextIO, cameras: tuple[CameraInfo, ...]) -> int:
    numbers = [str(camera.index) for camera in cameras]
    for camera in cameras:
        questions.write(f"  {camera.index}  {camera.name}  {camera.path}".rstrip() + "\n")
    while True:
        questions.write(f"Which camera? {', '.join(numbers)} (Enter: {numbers[0]}): ")
        questions.flush()
        line = answers.readline()
        if not line:
            questions.write("\n")
            raise SourceError(f"no camera was chosen, expected one of {', '.join(numbers)}")
        answer = line.strip() or numbers[0]
        if answer in numbers:
            return int(answer)
        questions.write(f"'{answer}' is none of these.\n")
