"""Covers the settings file to start from: complete, readable back, commented out, never replacing."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from realtime_vibe.app.settings import SETTINGS, LiveConfig, setting_names
from realtime_vibe.app.settings_file import build_config, read_settings_file
from realtime_vibe.cli.settings_template import settings_template, write_settings_template
from realtime_vibe.errors import OutputError

SETTING = re.compile(r"^#([a-z][a-z-]*) = ", re.MULTILINE)


def _uncommented(folder: Path) -> Path:
    path = folder / "all.toml"
    path.write_text(SETTING.sub(r"\1 = ", settings_template()))
    return path


def test_it_has_every_setting_once() -> None:
    assert sorted(SETTING.findall(settings_template())) == sorted(setting_names())


def test_as_written_it_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    write_settings_template(path)
    assert build_config({}, path) == LiveConfig()


def test_uncommented_it_is_read_back_as_the_defaults(tmp_path: Path) -> None:
    settings = read_settings_file(_uncommented(tmp_path))
    for field in fields(LiveConfig):
        # Off by default, and shown with what the bare option means: an example.
        is_example = field.default is None or SETTINGS[field.name].bare is not None
        if not is_example:
            assert settings[field.name] == field.default, field.name
        else:
            assert settings[field.name] is not None, field.name


def test_its_examples_can_be_used_together(tmp_path: Path) -> None:
    assert build_config({}, _uncommented(tmp_path)).vmc == ("127.0.0.1:39539",)


def test_each_setting_has_its_help_and_what_it_takes() -> None:
    entries = {
        SETTING.findall(entry)[0]: " ".join(entry.replace("\n# ", " ").split())
        for entry in settings_template().split("\n\n")
        if SETTING.search(entry)
    }
    for entry, text in zip(SETTINGS.values(), entries.values(), strict=True):
        assert entry.explanation[1:] in text
        for choice in entry.kind.choices or ():
            assert f'"{choice}"' in text.split("Allowed:")[1]
    assert "Allowed: a number from 0.4 to 20." in entries["distance"]
    assert "Allowed: true or false." in entries["foot-lock"]
    unexplained = re.compile(r"Allowed: (N|HZ|PX|M|DEG|PORT)\.")
    assert not [name for name, entry in entries.items() if unexplained.search(entry)]


def test_it_says_that_it_must_be_named(tmp_path: Path) -> None:
    write_settings_template(tmp_path / "mine.toml")
    text = (tmp_path / "mine.toml").read_text()
    assert "realtime-vibe --config mine.toml" in text
    assert "does not pick this file up by itself" in text
    odd = tmp_path / "a\nb = 1\udcff.toml"
    write_settings_template(odd)
    assert read_settings_file(odd) == {}


def test_a_file_that_exists_stays(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("mirror = true\n")
    with pytest.raises(OutputError, match="exists and is left as it is"):
        write_settings_template(path)
    assert path.read_text() == "mirror = true\n"


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot be written .*No such file"):
        write_settings_template(tmp_path / "gone" / "s.toml")
