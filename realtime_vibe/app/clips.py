"""Several clips one after the other, and outputs that are named after what they were made of."""

import glob
import logging
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import ConfigError, OutputError, RealtimeVibeError, SourceError
from realtime_vibe.sources.image_folder import SUFFIXES, is_image, matching
from realtime_vibe.system.file_boundary import file_boundary, make_folder

logger = logging.getLogger(__name__)

EXIT_OK = 0
EXIT_CLIPS_FAILED = 2
_SINGLE_FILES = ("save_video", "snapshot", "stats")
_ENDING = re.compile(r"\.?[a-z0-9]+", re.IGNORECASE)


def clips_of(words: Sequence[str]) -> tuple[str, ...]:
    """The sources that words (at least one) name as `--source` does; a pattern of videos is all that match it.

    Windows leaves patterns to the program, and quotes do so everywhere. A pattern of images stays
    one source: the images are the frames of one film.

    Raises:
        SourceError: a pattern matches nothing, or single images stand where a film is expected.
    """
    clips: list[str] = []
    for word in words:
        with file_boundary(word, SourceError, "expected a clip or a pattern of clips"):
            if not glob.has_magic(word) or "://" in word or Path(word).exists():
                clips.append(word)
                continue
        clips += [str(path) for path in matching(word) if not is_image(path)] or [word]
    if len(clips) > 1 and all(Path(clip).suffix.lower() in SUFFIXES for clip in clips):
        raise SourceError(
            f"got {len(clips)} single images: to play them as one film give their folder, or the "
            "pattern in quotes"
        )
    return tuple(clips)


def clip_names(clips: Sequence[str]) -> tuple[str, ...]:
    """What outputs of each clip are called, without an ending; no two are the same."""
    names = [_name(clip) for clip in clips]
    counts = Counter(name.casefold() for name in names)
    names = [
        _long_name(clip) if counts[name.casefold()] > 1 else name
        for clip, name in zip(clips, names, strict=True)
    ]
    seen: Counter[str] = Counter()
    for number, name in enumerate(names):
        seen[name.casefold()] += 1
        if seen[name.casefold()] > 1:
            names[number] = f"{name}-{seen[name.casefold()]}"
    return tuple(names)


def named_after(config: LiveConfig, name: str) -> LiveConfig:
    """The settings with the outputs of `--record-dir` named; unchanged without one.

    Args:
        config: `record`, `save_video`, `snapshot` and `stats` hold endings, such as `bvh,npz`.
        name: without an ending.

    Raises:
        ConfigError: one of them is a file's name, or none is given.
    """
    folder = config.record_dir
    if folder is None:
        return config
    singles = {
        option: getattr(config, option) for option in _SINGLE_FILES if getattr(config, option)
    }
    given = [*config.record, *singles.values()]
    if not given:
        raise ConfigError("record-dir is set without record: say what to write, as in bvh,npz")
    for value in given:
        for ending in str(value).split(","):
            if not _ENDING.fullmatch(ending.strip()):
                raise ConfigError(
                    f"with record-dir files are named after the clip: got {value}, expected an "
                    "ending such as bvh, or several as bvh,npz"
                )

    def path_of(ending: str) -> Path:
        return folder / f"{name}.{ending.strip().lstrip('.')}"

    record = tuple(path_of(ending) for value in config.record for ending in str(value).split(","))
    make_folder(folder, OutputError)
    paths: dict[str, Any] = {option: path_of(str(value)) for option, value in singles.items()}
    return replace(config, record=record, record_dir=None, **paths)


def configs_of(config: LiveConfig, clips: Sequence[str]) -> tuple[LiveConfig, ...]:
    """The settings of each clip.

    Raises:
        ConfigError: several clips would write one file.
    """
    if len(clips) > 1 and config.record_dir is None:
        for option in ("record", *_SINGLE_FILES):
            if getattr(config, option):
                raise ConfigError(
                    f"{len(clips)} clips cannot be written to one file: instead of a name give "
                    f"--record-dir DIR with an ending, as in --{option.replace('_', '-')} "
                    f"{'bvh,npz' if option == 'record' else 'mkv'}"
                )
    return tuple(
        named_after(replace(config, source=clip), name)
        for clip, name in zip(clips, clip_names(clips), strict=True)
    )


def run_clips(
    configs: Sequence[LiveConfig],
    run: Callable[[LiveConfig], int],
    check: Callable[[LiveConfig], object],
) -> int:
    """Runs every clip; one that cannot be read or written does not end the rest.

    `check` raises what is wrong with the outputs of one, before any is played. Returns 0, 2 where a clip failed, or
    128 + the number of the signal that ended it all.

    Raises:
        RealtimeVibeError: nothing can be played at all, or an output is in the way.
    """
    for config in configs:
        check(config)
    failed: list[str] = []
    for number, config in enumerate(configs, start=1):
        head = f"[{number}/{len(configs)}] {config.source}"
        logger.info("%s", head)
        try:
            code = run(config)
        except (SourceError, OutputError) as error:
            failed.append(config.source)
            logger.error("%s: %s", head, " ".join(str(error).split()))
        except RealtimeVibeError:
            raise  # an engine that is missing is missing for every clip
        except Exception:
            failed.append(config.source)
            logger.exception("%s: failed", head)
        else:
            if code != EXIT_OK:
                return code
    done = len(configs) - len(failed)
    if failed:
        logger.error("%d of %d clips done; failed: %s", done, len(configs), ", ".join(failed))
        return EXIT_CLIPS_FAILED
    logger.info("%d clips done", done)
    return EXIT_OK


def _path(clip: str) -> Path:
    if "://" not in clip:
        return Path(clip)
    _, _, rest = clip.partition("://")
    return Path(rest.split("?")[0].rpartition("@")[2])


def _plain(name: str) -> str:
    name = name.encode("utf-8", "replace").decode()
    name = re.sub(r"\.(person\d+)$", r"-\1", name)  # a name of the outputs of another clip
    return re.sub(r'[\\/:*?"<>|\x00-\x1f]+', "-", name).strip("-. ") or "clip"


def _name(clip: str) -> str:
    return _plain(_path(clip).stem)


def _long_name(clip: str) -> str:
    """With folder and ending."""
    path = _path(clip)
    return _plain(f"{path.parent.name}-{path.name}".replace(".", "-"))
