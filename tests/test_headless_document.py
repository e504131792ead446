"""Covers docs/headless.md: a unit that systemd takes, and commands whose options, packages and codes exist."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.app.settings_file import build_config
from realtime_vibe.cli.options import live_parser

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "headless.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def config_of(words: list[str]) -> LiveConfig:
    given = vars(live_parser().parse_args(words))
    given.pop("clips", None)
    return build_config(given)


def test_the_service_starts_what_exists_and_ends_as_the_program_does() -> None:
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read_string(block("ini"))
    service = unit["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert program.endswith("/bin/realtime-vibe")
    assert not config_of(words).has_windows
    assert int(service["SuccessExitStatus"]) == 128 + signal.SIGTERM
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_finds_nothing_wrong_with_the_service(tmp_path: Path) -> None:
    path = tmp_path / "realtime-vibe.service"
    path.write_text(block("ini").replace("/opt/realtime-vibe/bin/realtime-vibe", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", path], capture_output=True, text=True, check=False
    )
    about_it = [line for line in done.stderr.splitlines() if path.name in line]
    assert about_it == []


def test_the_container_installs_and_starts_what_exists() -> None:
    recipe = block("dockerfile")
    words = [word for kind in ("ENTRYPOINT", "CMD") for word in json.loads(
        re.search(rf"^{kind} (\[.*\])$", recipe, re.MULTILINE)[1]
    )]  # fmt: skip
    assert words[0] == "realtime-vibe"
    assert not config_of(words[1:]).has_windows
    packages = re.search(r"--no-install-recommends (.*?) \\", recipe)[1].split()
    known = (ROOT / "scripts" / "system_packages.sh").read_text(encoding="utf-8")
    assert packages
    assert [name for name in packages if f" {name} " not in known] == []


def test_every_command_of_the_page_is_understood() -> None:
    commands = re.findall(r"(?:^|`|run .*? )realtime-vibe( --[^`\n#]*)", PAGE, re.MULTILINE)
    assert len(commands) >= 2
    for words in commands:
        config_of(shlex.split(words))
