from pathlib import Path

import pytest

from edge.config import Camera, Config, ConfigError, load, with_overrides
from tests.helpers import ROOT


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_settings_come_from_the_file_and_the_rest_from_the_defaults(tmp_path: Path) -> None:
    config = load(write(tmp_path, '[camera]\nsource = "demo"\n[face.detector]\nkind = "haar"\n'))
    assert config.camera == Camera(source="demo")
    assert config.face.detector.kind == "haar"
    assert config.audio == Config().audio


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[camera]\nsorce = 'demo'", ["sorce", "camera"]),
        ("[camera]\nrate_hz = 'fast'", ["camera.rate_hz"]),
        ("[audio.button]\npin = 99", ["audio.button.pin"]),
        ("[audio.button]\nchip = '/dev/gpiochip0'", ["chip and line", "audio.button"]),
        ("[audio.button]\nline = 4", ["chip and line", "audio.button"]),
        ("[audio.button]\nled_line = 4", ["led_line"]),
        ("[audio.button]\nchip = 'a'\nline = 4\ninput = 'b'", ["chip or input"]),
        ("[audio.button]\nchip = 'a'\nline = 4\nled_pin = 4", ["led_pin"]),
        ("[audio.button]\nkey = 48", ["key is a key of input"]),
        ("[face.detector]\nkind = 'eyes'", ["face.detector.kind"]),
        ("[face]\nraters_share = 1.5", ["face.raters_share"]),
        ("[face]\nraters_share = 'half'", ["face.raters_share"]),
        ("[camera", ["config.toml"]),
        ("thread = 2", ["thread"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(
    tmp_path: Path, text: str, named: list[str]
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    line = str(caught.value)
    assert "\n" not in line
    for word in [str(path), *named]:
        assert word in line


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load(tmp_path / "none.toml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load(path)


def test_overrides_change_only_what_they_name() -> None:
    config = with_overrides(Config(), [("camera", "source", "demo")])
    assert config.camera.source == "demo"
    assert config.camera.width == Config().camera.width
    assert config.face == Config().face


def test_the_example_shows_the_defaults() -> None:
    assert load(ROOT / "deploy" / "config.example.toml") == Config()
