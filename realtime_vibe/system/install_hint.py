"""How to add an optional part to this installation."""

import json
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

NAME = "realtime-vibe"
_CHECKOUT = Path(__file__).resolve().parents[2]


def install_command(extra: str) -> str:
    """The command that installs an extra such as `viewer`, ready to paste.

    The project is on no index, so pip has to be given the checkout, or the wheel this was installed from.
    """
    if (_CHECKOUT / "pyproject.toml").is_file():
        what, option = str(_CHECKOUT), "-e "
    else:
        what, option = _installed_from() or "realtime_vibe-VERSION-py3-none-any.whl", ""
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable or "python"
    return f'{python} -m pip install {option}"{what}[{extra}]"'


def _installed_from() -> str | None:
    """The wheel or folder that pip was given, as pip noted it."""
    try:
        noted = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    url = json.loads(noted).get("url", "") if noted else ""
    return url2pathname(urlsplit(url).path) if url.startswith("file:") else None
