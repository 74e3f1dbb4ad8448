"""The commands beside `run`, as processes."""

import os
import struct
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import cv2
import msgspec
import numpy as np
import pytest
import soundfile
from PIL import Image

from edge.bus.messages import FACE_LABELS, SERVICES
from edge.commands import doctor
from edge.config import Config
from tests.support.harness import DATA, ROOT, emotion_edge
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


@pytest.mark.parametrize("command", ["run", "watch", "record", "doctor", "keys list", "hub"])
def test_every_command_refuses_a_file_that_it_cannot_use(tmp_path: Path, command: str) -> None:
    name, *rest = command.split()
    (tmp_path / "bad.toml").write_text("[camera]\nsorce = 'demo'\n")
    code, out, errors = output(name, "--config", tmp_path / "bad.toml", *rest)
    assert (code, out, errors.count("\n")) == (78, "", 1)
    assert f"{tmp_path}/bad.toml:2: unknown key camera.sorce" in errors


def test_a_bad_source_is_the_files_or_the_command_lines(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('camera.source = "none.mp4"\n')
    code, _, errors = output("run", "--config", tmp_path / "config.toml")
    assert (code, errors.count("\n")) == (78, 1)
    assert "none.mp4" in errors
    assert output("run", "--camera", "none.mp4")[0] == 2


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
