"""Settings that change nothing unless another one is on: such a run would pass in silence without what was asked for."""

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from realtime_vibe.errors import ConfigError
from realtime_vibe.outputs.view.background import TRANSPARENT

if TYPE_CHECKING:
    from realtime_vibe.app.settings import LiveConfig


logger = logging.getLogger(__name__)


def check_needs(config: "LiveConfig", defaults: Callable[[str], object]) -> None:
    """Refuses a setting that has no effect beside the others, or says so where it is a preference.

    `defaults` gives a setting's default by its name: one that is left alone is none that is missed.

    Raises:
        ConfigError: names the setting, and what is missing.
    """
    if config.background == TRANSPARENT and config.snapshot is None:
        raise ConfigError(f"background is {TRANSPARENT} without snapshot: windows cannot be so")
    avatars = bool(config.vmc or config.vrchat)
    for text in _without(
        config,
        defaults,
        ("vmc_avatar", bool(config.vmc), "vmc"),
        ("vmc_root", bool(config.vmc), "vmc"),
        ("mirror_avatar", avatars, "vmc or vrchat"),
        ("web_host", bool(config.web), "web"),
        ("stream_rate", config.sends, "vmc, vrchat or web"),
    ):
        raise ConfigError(text)
    # Keys r and c record and calibrate where there are windows.
    records = bool(config.record) or config.has_windows
    calibrates = bool(config.calibrate) or config.has_windows
    writes_bvh = _writes_bvh(config)
    # A settings file holds these for all runs, also for those that do not record or calibrate: said, not refused.
    for text in _without(
        config,
        defaults,
        ("record_fps", records, "record"),
        ("origin", records, "record"),
        ("bvh_names", writes_bvh, "a .bvh to record"),
        ("bvh_unit", writes_bvh, "a .bvh to record"),
        ("bvh_bones", writes_bvh, "a .bvh to record"),
        ("person_height", calibrates, "calibrate"),
        ("distance", calibrates, "calibrate"),
    ):
        logger.warning("%s: it changes nothing", text)


def _without(
    config: "LiveConfig", defaults: Callable[[str], object], *needs: tuple[str, bool, str]
) -> Iterator[str]:
    """Says which settings were set without what they need: (name, whether it is there, its name)."""
    for name, is_met, missing in needs:
        if not is_met and getattr(config, name) != defaults(name):
            yield f"{name.replace('_', '-')} is set without {missing}"


def _writes_bvh(config: "LiveConfig") -> bool:
    """Whether the take has such a file, also where `record_dir` makes names of endings."""
    words = ",".join(str(path) for path in config.record).lower().split(",")
    return any(word.strip().endswith("bvh") for word in words)
