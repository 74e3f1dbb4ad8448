"""The commands beside `run`, as processes."""

import contextlib
import os
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from zlib import crc32

import cv2
import msgspec
import numpy as np
import pytest
import soundfile
from PIL import Image

from edge.bus.messages import FACE_LABELS, OPTIONAL_SERVICES, SERVICES
from edge.commands import doctor
from edge.config import Config, GatewayConfig
from tests.support.harness import DATA, ROOT, emotion_edge, write_config
from tests.support.product import Product

PORTRAIT = ROOT / "edge" / "assets" / "astronaut.jpg"


def output(*arguments: str | Path, **options: object) -> tuple[int, str, str]:
    """(exit code, stdout, stderr)"""
    with emotion_edge(*arguments, **options) as process:
        out, errors = process.communicate(timeout=60)
    return process.returncode, out, errors


def test_classify_finds_every_face_in_an_image(tmp_path: Path) -> None:
    portrait = cv2.resize(cv2.imread(str(PORTRAIT)), None, fx=2, fy=2)
    two = tmp_path / "two.png"
    cv2.imwrite(str(two), np.hstack([portrait, portrait]))
    code, out, errors = output("classify", PORTRAIT, two, "--json")
    one, both = map(msgspec.json.decode, out.splitlines())
    assert (code, errors) == (0, "")
    assert [len(one["faces"]), len(both["faces"])] == [1, 2]
    assert set(one["faces"][0]["scores"]) == set(FACE_LABELS)
    assert one["kind"] == "image"


def test_classify_says_in_words_what_it_found() -> None:
    code, out, _ = output("classify", PORTRAIT)
    first, second = out.splitlines()
    assert code == 0
    assert first == f"{PORTRAIT}: 1 face"
    assert second.startswith("  #1 ")


def test_classify_goes_on_after_a_bad_file_and_says_so_in_the_end(tmp_path: Path) -> None:
    broken, text = tmp_path / "broken.png", tmp_path / "notes.txt"
    broken.write_bytes(b"no image")
    text.write_text("no image either")
    code, out, errors = output("classify", broken, text, PORTRAIT)
    assert code == 2
    assert [str(broken) in errors, str(text) in errors, "1 face" in out] == [True, True, True]
    assert "Traceback" not in errors


def test_no_file_costs_those_after_it_their_results(tmp_path: Path) -> None:
    """An animation, a name that is not UTF-8, a sliver, a header that claims 1.6 Gpx."""
    portrait = Image.open(PORTRAIT)
    animated, bomb, sliver = (tmp_path / name for name in ("moves.png", "bomb.png", "sliver.png"))
    portrait.save(animated, save_all=True, append_images=[portrait.transpose(0)])
    portrait.resize((10_000, 10)).save(sliver)
    odd = tmp_path / os.fsdecode(b"caf\xe9.png")
    portrait.save(odd)
    size = struct.pack(">II5B", 40_000, 40_000, 8, 2, 0, 0, 0)
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", size) + png_chunk(b"IDAT", b""))
    code, out, errors = output("classify", animated, odd, bomb, sliver, "x" * 300, PORTRAIT)
    assert code == 2
    assert out.count(": 1 face\n") == 3
    assert f"{bomb}: the image has too many pixels" in errors
    assert "Traceback" not in errors


def test_settings_are_used_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('face.model = "models_tflite/face_emotion.tflite"\n')
    done = subprocess.run(
        [sys.executable, "-m", "edge", "classify", "--config", "mine.toml", PORTRAIT],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 face" in done.stdout


EVERY_COMMAND = [
    *("run", "watch", "record", "classify x.jpg", "doctor", *SERVICES, *OPTIONAL_SERVICES),
    *("keys list", "keys make", "keys add x", "keys remove x"),
]


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_every_command_takes_settings_and_refuses_what_it_cannot_use(
    tmp_path: Path, command: str
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("[camera]\nsorce = 'demo'\n")
    words, given = command.split(), ("--config", bad)
    for arguments in (
        (*given, *words),
        (words[0], *given, *words[1:]),
        (*words, *given),
    ):
        code, out, errors = output(*arguments)
        assert (code, out, errors.count("\n")) == (78, "", 1)
        assert (
            f"{words[0]}: {bad}:2: unknown key camera.sorce; did you mean camera.source?" in errors
        )


def test_the_settings_that_are_nearer_to_the_command_count() -> None:
    code, _, errors = output("--config", "first.toml", "keys", "list", "--config", "last.toml")
    assert (code, errors.count("\n")) == (78, 1)
    assert "last.toml: No such file or directory" in errors


BAD_VALUES = [
    ("camera", "camera.source", "'none.mp4'", "'none.mp4': No such file or directory"),
    ("camera", "camera.source", "'ftp://x/y'", "ftp://x/y: no such address"),
    ("audio", "audio.source", "'none.wav'", "none.wav: no such sound file"),
    ("audio", "audio.model", "'none'", "none.tflite: no such model file"),
    ("face", "face.model", "'none'", "none.tflite: no such model file"),
    ("face", "face.detector.model", "'none.onnx'", "none.onnx: no such file"),
    ("fusion", "audio.model", "'none'", "none.tflite: no such model file"),
    ("display", "display.screen", "'big'", "no such screen: big"),
    ("display", "display.screen", "'none/x.png'", "none: no such folder for the file"),
    ("gateway", "gateway.local", "'tcp://127.0.0.1:99999'", "the last port is 65535"),
    ("gateway", "gateway.remote", "'foo'", "foo: no such kind of address"),
    ("hub", "bus.directory", "'/proc/x'", "cannot make /proc/x"),
]


@pytest.mark.parametrize(("service", "key", "value", "what"), BAD_VALUES)
def test_a_value_that_cannot_be_used_is_named_with_its_file_line_and_key(
    tmp_path: Path, service: str, key: str, value: str, what: str
) -> None:
    file = tmp_path / "mine.toml"
    section, _, name = key.rpartition(".")
    file.write_text(f"[{section}]\n\n{name} = {value}\n")
    for command in ("run", service):
        code, out, errors = output(command, "--config", file)
        assert (code, out, errors.count("\n")) == (78, "", 1)
        assert errors.startswith(f"emotion-edge {command}: {file}:3: {key}: ")
        assert what in errors


def test_ports_that_are_in_use_are_a_line_each_and_retried(config: Config) -> None:
    with socket.socket() as taken, socket.socket(type=socket.SOCK_DGRAM) as mdns:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with contextlib.suppress(OSError):  # taken already: the same to us
            mdns.bind(("", 5353))
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        gateway = {"local": endpoint, "remote": "tcp://*:0", "insecure": True}
        config = msgspec.structs.replace(config, gateway=msgspec.convert(gateway, GatewayConfig))
        file = write_config(config, config.directory / "config.json")
        with emotion_edge("gateway", "--config", file) as process:
            time.sleep(3)
            process.terminate()
            errors = process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 0
    assert [line for line in errors if endpoint in line] == [
        f"gateway: cannot listen on {endpoint}: it is in use; stop the other program, "
        "or set gateway.local or gateway.remote"
    ]
    assert all(line.startswith("gateway: ") for line in errors), "and no traceback of a library"
    assert sum("5353" in line or "announced" in line for line in errors) <= 1


def test_classify_names_the_setting_of_a_model_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("face.model = 'none'\n")
    code, out, errors = output("classify", PORTRAIT, "--config", tmp_path / "mine.toml")
    assert (code, out, errors.count("\n")) == (78, "", 1)
    assert f"{tmp_path}/mine.toml:1: face.model: " in errors


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--camera", "none.mp4"],
        ["run", "--microphone", "none.wav"],
        ["run", "--screen", "big"],
        ["run", "--duration", "0"],
        ["watch", "--topic", "emotoin"],
        ["watch", "--json", "--csv"],
        ["classify"],
        ["nonsense"],
        [],
    ],
)
def test_what_the_command_line_gets_wrong_is_one_line_and_2(arguments: list[str]) -> None:
    code, out, errors = output(*arguments)
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert "Traceback" not in errors


@pytest.mark.parametrize("command", ["", "run", "watch", "record", "classify", "doctor", "keys"])
def test_help_has_examples_and_names_the_settings(command: str) -> None:
    code, out, _ = output(*command.split(), "--help")
    assert code == 0
    assert "examples:\n  " in out
    assert "/etc/emotion-edge/config.toml" in out


def test_the_first_page_has_the_keys_and_internal_processes_in_its_last_line_alone() -> None:
    page, _, last = output("--help")[1].rstrip().rpartition("\n")
    assert "a records, f is full screen, q quits" in page
    internal = (*SERVICES, *OPTIONAL_SERVICES)
    assert [n for n in internal if f"    {n} " in page] == []
    assert last.endswith(" ".join(internal))


def test_help_shows_the_defaults_of_run() -> None:
    page = " ".join(output("run", "--help")[1].split())
    for key in ("camera.source (auto)", "audio.source (auto)", "display.screen (auto)"):
        assert f"default {key}" in page


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("empty.wav", np.zeros((0, 1), np.float32)),
        ("channels.wav", np.zeros((16_000, 6), np.float32)),
        ("nan.wav", np.full((16_000, 1), np.nan, np.float32)),
    ],
)
def test_classify_refuses_a_sound_that_is_none(
    tmp_path: Path, name: str, samples: np.ndarray
) -> None:
    path = tmp_path / name
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    code, out, errors = output("classify", path)
    assert (code, out) == (2, "")
    assert str(path) in errors
    assert errors.count("\n") == 1


def test_silence_has_no_emotion(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(16_000 * 5, np.float32), 16_000)
    code, out, _ = output("classify", path, "--json")
    result = msgspec.json.decode(out)
    assert code == 0
    assert (result["speech"], result["emotion"], result["duration_s"]) == (False, None, 5.0)
    assert [window["start_s"] for window in result["windows"]] == [0.0, 2.0, 4.0]


@pytest.mark.data
def test_a_spoken_clip_has_an_emotion() -> None:
    clip = sorted((DATA / "ravdess_16k" / "Actor_17").glob("*.flac"))[30]
    code, out, _ = output("classify", clip, "--json")
    result = msgspec.json.decode(out)
    assert code == 0
    assert result["speech"]
    assert sum(result["scores"].values()) == pytest.approx(1, abs=1e-3)


def test_doctor_says_what_is_there_and_how_to_fix_what_is_not() -> None:
    code, out, errors = output("doctor")
    assert (code, errors) == (0, "")
    assert "ready: emotion-edge run" in out
    for what in ("runtime", "face model", "voice model", "detector", "camera", "microphone"):
        assert what in out


def test_doctor_as_json_has_an_object_a_finding() -> None:
    code, out, errors = output("doctor", "--json")
    findings = [msgspec.json.decode(line) for line in out.splitlines()]
    assert (code, errors) == (0, "")
    assert all(set(finding) == {"state", "what", "detail", "fix"} for finding in findings)
    assert {"program", "face model", "detector"} <= {finding["what"] for finding in findings}


def test_doctor_reports_a_running_product(running: Product) -> None:
    code, out, _ = output("doctor", "--config", running.config.directory / "config.json")
    assert code == 0
    for name in SERVICES:
        assert any(line.split()[1] == name for line in out.splitlines() if line.split()), name


@pytest.mark.parametrize(
    ("button", "said"),
    [
        ({"chip": "/dev/gpiochip99", "line": 4}, "there is no /dev/gpiochip99"),
        ({"input": "/dev/input/no-such-key"}, "no /dev/input/no-such-key: plug the key in"),
    ],
)
def test_doctor_knows_the_other_kinds_of_button(button: dict[str, object], said: str) -> None:
    config = msgspec.convert({"audio": {"button": button}}, Config)
    (finding,) = doctor.check_button(config)
    assert finding.state == "missing"
    assert said in finding.detail


def test_keys_says_what_it_did(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'gateway.keys = "{tmp_path}/keys"\n')
    keys = "keys", "--config", tmp_path / "config.toml"
    file = tmp_path / "laptop.key"
    assert output(*keys, "add", "laptop", file)[1] == f"laptop may subscribe; its key: {file}\n"
    assert output(*keys, "remove", "laptop")[1] == "laptop may no longer subscribe\n"
