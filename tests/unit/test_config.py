import logging
import re
from pathlib import Path

import msgspec
import pytest

from edge.config import CameraConfig, Config, MqttConfig
from edge.config.file import KEYS, MOVED, flatten, load, replace_moved, with_overrides
from edge.errors import ConfigError
from edge.paths import MODELS
from tests.support.harness import ROOT

EXAMPLE = ROOT / "deploy" / "config.example.toml"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_settings_come_from_the_file_and_the_rest_from_the_defaults(tmp_path: Path) -> None:
    config = load(write(tmp_path, '[camera]\nsource = "demo"\n[face.detector]\nkind = "haar"\n'))
    assert config.camera == CameraConfig(source="demo")
    assert config.face.detector.kind == "haar"
    assert config.audio == Config().audio


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[camera]\nsorce = 'demo'", ":2: unknown key camera.sorce; did you mean camera.source?"),
        ("\nthread = 2", ":2: unknown key thread; did you mean threads?"),
        ("[weather]\nwind = 1", ":2: unknown key weather.wind"),
        ("[camera]\nrate_hz = 'fast'", ":2: camera.rate_hz: "),
        ("[camera]\nrotate = 45", ":2: camera.rotate: "),
        ("[camera]\n\n[audio.button]  # ours\npin = 99", ":4: audio.button.pin: "),
        ("[audio.button]\nchip = '/dev/gpiochip0'", ":2: audio.button: chip and line"),
        ("[audio.button]\nline = 4", ":1: audio.button: chip and line"),
        ("[audio.button]\nled_line = 4", "led_line"),
        ("[audio.button]\nchip = 'a'\nline = 4\ninput = 'b'", "chip or input"),
        ("[audio.button]\nchip = 'a'\nline = 4\nled_pin = 4", "led_pin"),
        ("[audio.button]\nkey = 48", "key is a key of input"),
        ("[face.detector]\nkind = 'eyes'", ":2: face.detector.kind: "),
        ("[face]\nraters_share = 1.5", ":2: face.raters_share: "),
        ("[face]\nraters_share = 'half'", ":2: face.raters_share: "),
        ("gateway.local = 'tcp://*:5556'", ": gateway.local: 'tcp://*:5556' is not an address"),
        ("gateway.local = 'tcp://*:5556'", ":1: gateway.local: "),
        ("[gateway]\n\nlocal = 'tcp://*:5556'", ":3: gateway.local: "),
        ("[face]\ndetector = { kind = 'eyes' }", ":2: face.detector.kind: "),
        ("[face]\ndetector = { kin = 'haar' }", ":2: unknown key face.detector.kin; did you mean"),
        ("[ camera ]\nsorce = 1", ":2: unknown key camera.sorce; did you mean camera.source?"),
        ("['camera']\n\"sorce\" = 1", ":2: unknown key camera.sorce; did you mean"),
        ("\nface = 3", ":2: face is a section; write [face] above its keys"),
        ("\n[[camera]]\nsource = 'demo'", ":2: camera is a section; write [camera]"),
        ("[camra]", ":1: unknown key camra; did you mean camera?"),
        ("[face.detector]\nkind = 'eyes'", "; write auto or yunet or haar"),
        ("\n[camera", ":2: Expected ']' at the end of a table declaration"),
        ("[camera]\n\nsource = ", ":3: Invalid value"),
        ("[camera]\nsource = 'a'\nsource = 'b'\n", ":3: Cannot overwrite a value"),
        ("\n\nsource = [1,\n", ":3: "),
        ("[mqtt]\nbroker = 'host'", ":2: mqtt.broker: write mqtt://HOST"),
        ("[mqtt]\nbroker = 'http://host'", ":2: mqtt.broker: write mqtt://HOST"),
        ("[mqtt]\nbroker = 'mqtt:// host'", ":2: mqtt.broker: write mqtt://HOST"),
        ('[mqtt]\nbroker = "mqtt://host\\u0000"', ":2: mqtt.broker: write mqtt://HOST"),
        ("[mqtt]\nbroker = 'mqtt://'", ":2: mqtt.broker: write mqtt://HOST"),
        ("[mqtt]\nbroker = 'mqtt://host/a'", ":2: mqtt.broker: write mqtt://HOST"),
        ("[mqtt]\nbroker = 'mqtt://a..b'", ":2: mqtt.broker: "),
        ("[mqtt]\nbroker = 'mqtt://host:99999'", ":2: mqtt.broker: Port out of range"),
        ("[mqtt]\nbroker = 'mqtt://host:0'", ":2: mqtt.broker: write"),
        ("[mqtt]\nbroker = 'mqtt://me:secret@host'", "set password_file"),
        ("[mqtt]\nbroker = 'mqtt://host'\nca = 'ca.pem'", "write mqtts:// in broker"),
        ("[mqtt]\ncert = 'device.pem'", "cert and key belong together"),
        (f"[mqtt]\nbroker = 'mqtt://{'h.' * 9_000}'", ":2: mqtt.broker: Expected `str` of length"),
        (f"[mqtt]\nuser = '{'u' * 70_000}'", ":2: mqtt.user: Expected `str` of length"),
        ('[mqtt]\nuser = "a\\u0000"', "mqtt.user: may have no control"),
        ("[mqtt]\ntopic = ''", "mqtt.topic: may have"),
        ("[mqtt]\ntopic = 'a/#'", "mqtt.topic: may have"),
        ("[mqtt]\ntopic = '+'", "mqtt.topic: may have"),
        ("[mqtt]\ntopic = '/a'", "mqtt.topic: may have"),
        ("[mqtt]\ntopic = '$SYS'", "mqtt.topic: may have"),
        ("[mqtt]\ntopic = '~'", "mqtt.topic: may have"),
        (f"[mqtt]\ntopic = '{'a' * 70_000}'", ":2: mqtt.topic: "),
        ("[mqtt]\ndiscovery = 'home assistant'", "mqtt.discovery: may have"),
        ("[mqtt]\nrecord = 'yes'", ":2: mqtt.record: "),
        ("[mqtt]\nscores_s = -1", ":2: mqtt.scores_s: "),
        ("[recorder]\nkeep_days = -1", ":2: recorder.keep_days: "),
        ("[recorder]\nkeep_days = 1000000000", ":2: recorder.keep_days: "),
        ("[recorder]\nkeep_days = 1e9", ":2: recorder.keep_days: "),
        ("[recorder]\nflush_s = 0", ":2: recorder.flush_s: "),
        ("[recorder]\nmax_mb = 0", ":2: recorder.max_mb: "),
        ("[recorder]\nmax_md = 5", "did you mean recorder.max_mb"),
        ("[recorder]\ndetail = 'hour'", "write second or frame"),
        ("[web]\nbind = '8080'", ":2: web.bind: write HOST:PORT"),
        ("[web]\nbind = ':8080'", ":2: web.bind: write HOST:PORT"),
        ("[web]\nbind = '127.0.0.1'", ":2: web.bind: write HOST:PORT"),
        ("[web]\nbind = 'http://127.0.0.1:80'", ":2: web.bind: "),
        ("[web]\nbind = 'me@127.0.0.1:80'", ":2: web.bind: write HOST:PORT"),
        ("[web]\nbind = '127.0.0.1:99999'", ":2: web.bind: Port out of range"),
        ("[web]\nbind = '[::1:8080'", ":2: web.bind: "),
        ("[web]\nhosts = ['*']", ":2: web.hosts: '*' is no name"),
        ("[web]\nhosts = ['home.example:80']", ":2: web.hosts: 'home.example:80' is no name"),
        ("[web]\nhosts = 'home'", ":2: web.hosts: "),
        ("[web]\ntls = 'yes'", ":2: web.tls: write"),
        ("[web]\npicture_hz = 1000", ":2: web.picture_hz: "),
        ("[camera", ": "),
    ],
)
def test_a_wrong_setting_is_named_with_its_file_line_and_key(
    tmp_path: Path, text: str, named: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(str(path))
    assert named in line
    assert "secret" not in line


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load(tmp_path / "none.toml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load(path)


def test_a_letter_that_is_not_utf8_is_found(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"threads = 1\ndevice = 'K\xfcche'\n")
    with pytest.raises(ConfigError, match=r"config\.toml:2: not UTF-8; save the file in UTF-8"):
        load(path)


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes("\ufeffdevice = 'Küche'\r\n[camera]\r\n".encode())
    assert load(path).device == "Küche"


def test_an_empty_section_is_one(tmp_path: Path) -> None:
    assert load(write(tmp_path, "[camera]\n[face.detector]\n")) == Config()


@pytest.mark.parametrize("text", ["[]", '{"camera": {"sorce": 1}}', "{"])
def test_json_is_refused_with_its_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json: "):
        load(path)


def test_overrides_change_only_what_they_name() -> None:
    config = with_overrides(Config(), {"camera.source": "demo"})
    assert config.camera.source == "demo"
    assert config.camera.width == Config().camera.width
    assert config.face == Config().face


def test_the_example_shows_the_defaults() -> None:
    assert load(EXAMPLE) == Config()


def test_the_example_has_every_key_and_no_other() -> None:
    text = re.sub(r"(?m)^# (?=\w+ = )", "", EXAMPLE.read_text())
    assert {key for key, _ in flatten(msgspec.toml.decode(text))} == KEYS


@pytest.mark.parametrize("model", ["voice_emotion", "models_tflite/voice_emotion.tflite"])
def test_a_model_that_is_shipped_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.chdir("/")
    config = load(write(tmp_path, f"audio.model = {model!r}"))
    assert config.audio.model == str(MODELS / "voice_emotion.tflite")


@pytest.mark.parametrize("model", ["mine.tflite", "./mine.tflite", "sub/../mine.tflite"])
def test_a_model_of_ones_own_lies_beside_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "mine.tflite").touch()
    write(tmp_path, f"[audio]\nmodel = {model!r}")
    monkeypatch.chdir(tmp_path / "sub")
    found = load(Path("../config.toml")).audio.model
    assert Path(found).is_absolute()
    assert Path(found).samefile(tmp_path / "mine.tflite")


def test_relative_paths_are_taken_from_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("film.mp4", "noise.wav"):
        (tmp_path / name).touch()
    monkeypatch.chdir("/")
    config = load(
        write(
            tmp_path,
            "bus.directory = 'run'\ngateway.keys = 'keys'\ncamera.source = 'film.mp4'\n"
            "audio.source = 'noise.wav'\ndisplay.screen = 'out.png'\n"
            "face.detector.model = 'yunet.onnx'\n",
        )
    )
    assert (config.directory, config.keys_directory) == (tmp_path / "run", tmp_path / "keys")
    assert config.camera.source == str(tmp_path / "film.mp4")
    assert config.audio.source == str(tmp_path / "noise.wav")
    assert config.display.screen == str(tmp_path / "out.png")
    assert config.face.detector.model == str(tmp_path / "yunet.onnx")


@pytest.mark.parametrize("source", ["demo", "auto", "0", "/dev/video0", "rtsp://a/b", "a ! b.mp4"])
def test_a_source_that_is_no_file_stays_as_it_is(tmp_path: Path, source: str) -> None:
    (tmp_path / "demo").touch()
    assert load(write(tmp_path, f"camera.source = {source!r}")).camera.source == source


def test_a_path_of_the_command_line_is_taken_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = with_overrides(Config(), {"display.screen": "out.png"})
    assert config.display.screen == str(tmp_path / "out.png")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"bus.bind": "tcp://127.0.0.1:7000"}, {"gateway.local": "tcp://127.0.0.1:7000"}),
        ({"bus.bind": ""}, {"gateway.local": ""}),
        ({"bus.bind": "tcp://*:5556"}, {"gateway.remote": "tcp://*:5556", "gateway.local": ""}),
        (
            {"bus.bind": "tcp://*:5556", "gateway.local": "tcp://127.0.0.1:7000"},
            {"gateway.remote": "tcp://*:5556", "gateway.local": "tcp://127.0.0.1:7000"},
        ),
        ({"bus.keys": "k", "bus.insecure": True}, {"gateway.keys": "k", "gateway.insecure": True}),
        ({"bus.announce": False}, {"gateway.announce": False}),
        ({"audio.window": 3, "audio.window_s": 30.0, "threads": 2}, {"threads": 2}),
    ],
)
def test_keys_of_older_versions_are_replaced_with_a_note(
    old: dict[str, object], new: dict[str, object]
) -> None:
    settings = dict(old)
    notes = replace_moved(settings)
    assert settings == new
    assert len(notes) == len(old.keys() & MOVED.keys())
    assert all(any(note.startswith(key) for note in notes) for key in old.keys() & MOVED.keys())


def test_an_old_file_gets_one_warning_that_names_the_new_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, "[bus]\nbind = 'tcp://*:5556'\nkeys = 'keys'\n[audio]\nwindow = 3\n")
    with caplog.at_level(logging.WARNING):
        config = load(path)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{path}: bus.bind is now gateway.remote; bus.keys is now gateway.keys; "
        "audio.window has no effect any more"
    )
    assert config.gateway.remote == "tcp://*:5556"
    assert config.keys_directory == tmp_path / "keys"


def test_a_language_that_there_is_not_is_refused_with_those_that_there_are(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[display]\nlanguage = "tlh"\n')
    with pytest.raises(ConfigError, match="there is no 'tlh'; write de or en"):
        load(file)


def test_the_command_line_turns_the_full_screen_on():
    assert with_overrides(Config(), {"display.fullscreen": True}).display.fullscreen


@pytest.mark.parametrize("scheme", ["mqtts", "MQTTS"])
def test_a_broker_over_tls_is_one_however_it_is_written(scheme: str) -> None:
    mqtt = MqttConfig(broker=f"{scheme}://host")
    assert mqtt.is_tls and mqtt.address == ("host", 8883)
