"""Covers batches: which clips words name, what their outputs are called, and clips that fail."""

from pathlib import Path

import pytest

from realtime_vibe.app.clips import clip_names, clips_of, configs_of, named_after, run_clips
from realtime_vibe.app.settings import LiveConfig
from realtime_vibe.errors import ConfigError, EngineError, OutputError, SourceError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.mp4", "a.mp4", "1.png", "2.png", "odd[1].mp4"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_patterns_are_all_videos_that_match_or_one_film_of_images(folder: Path) -> None:
    assert clips_of(["?.mp4"]) == ("a.mp4", "b.mp4")
    assert clips_of([f"{folder}/?.mp4", "0"]) == (f"{folder}/a.mp4", f"{folder}/b.mp4", "0")
    assert clips_of(["*.png"]) == ("*.png",)
    assert clips_of(["[ab1]*"]) == ("a.mp4", "b.mp4")
    for itself in ("odd[1].mp4", "http://host/a?b=[c]", "auto", "gone.mp4"):
        assert clips_of([itself]) == (itself,)
    with pytest.raises(SourceError, match="no file matches"):
        clips_of(["*.avi"])
    with pytest.raises(SourceError, match="in quotes"):
        clips_of(["1.png", "2.png"])


def test_every_clip_has_a_name_of_its_own() -> None:
    clips = (
        "x/a.mp4",
        "x/b.mp4",
        "y/b.mp4",
        "b.MKV",
        "0",
        "rtsp://me:secret@host/cam?key=1",
        "b.mkv",
        "a.person2.mp4",  # as the second person of the first
    )
    names = clip_names(clips)
    assert names[-1] == "a-person2"
    assert names[0] == "a"
    assert len({name.casefold() for name in names}) == len(clips)
    assert not any(set(name) & set('/:?"*<>|') for name in names)
    assert "secret" not in "".join(names)


def test_outputs_are_named_after_the_clip(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    config = LiveConfig(
        source="x/dance.mp4",
        record=(Path("bvh,npz"), Path(".csv")),
        save_video=Path("mkv"),
        record_dir=out,
    )
    named = configs_of(config, ["x/dance.mp4", "y/jump.mp4"])
    assert [config.source for config in named] == ["x/dance.mp4", "y/jump.mp4"]
    assert named[0].record == (out / "dance.bvh", out / "dance.npz", out / "dance.csv")
    assert named[1].save_video == out / "jump.mkv"
    assert out.is_dir()


def test_names_that_cannot_be_meant(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ending"):
        named_after(LiveConfig(record=(Path("a.npz"),), record_dir=tmp_path), "a")
    with pytest.raises(ConfigError, match="without record"):
        named_after(LiveConfig(record_dir=tmp_path), "a")
    with pytest.raises(ConfigError, match="--record-dir DIR"):
        configs_of(LiveConfig(stats=Path("a.json")), ["a", "b"])
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        named_after(LiveConfig(record=(Path("bvh"),), record_dir=tmp_path / "file" / "x"), "a")


def test_one_bad_clip_does_not_end_the_batch(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    played: list[str] = []

    def run(config: LiveConfig) -> int:
        played.append(config.source)
        if config.source == "bad":
            raise SourceError("bad is empty")
        if config.source == "bug":
            raise KeyError
        return 0

    configs = [LiveConfig(source=name) for name in ("a", "bad", "bug", "b")]
    assert run_clips(configs, run, lambda _: None) == 2
    assert played == ["a", "bad", "bug", "b"]
    assert "2 of 4 clips done; failed: bad, bug" in caplog.text
    assert run_clips(configs[:1], run, lambda _: None) == 0


def test_what_ends_a_batch() -> None:
    played: list[str] = []

    def interrupted(config: LiveConfig) -> int:
        played.append(config.source)
        return 130

    def no_engine(config: LiveConfig) -> int:
        raise EngineError("gone")

    def in_the_way(config: LiveConfig) -> None:
        raise OutputError("exists")

    configs = [LiveConfig(source=name) for name in ("a", "b")]
    assert run_clips(configs, interrupted, lambda _: None) == 130
    with pytest.raises(EngineError):
        run_clips(configs, no_engine, lambda _: None)
    with pytest.raises(OutputError):
        run_clips(configs, interrupted, in_the_way)
    assert played == ["a"]
