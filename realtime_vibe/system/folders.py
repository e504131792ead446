"""Where the system wants a program's settings and its cache."""

from pathlib import Path

from platformdirs import user_cache_path, user_config_path

_NAME = "realtime-vibe"


def settings_folder() -> Path:
    """Such as `~/.config/realtime-vibe`; need not exist."""
    return user_config_path(_NAME, appauthor=False, roaming=True)


def cache_folder() -> Path:
    """Such as `~/.cache/realtime-vibe`; need not exist."""
    return user_cache_path(_NAME, appauthor=False, opinion=False)
