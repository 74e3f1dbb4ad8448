"""Small files that need much memory, and cards that lie: refused, or read in pieces."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
from PIL import Image

from edge.config import Config
from tests.conftest import Measured
from tests.support.harness import emotion_edge, write_config
from tests.support.models import FACE, VOICE, copy_of
from tests.support.peak import run_python
from tests.support.sizes import FULL, LONGEST_S

pytestmark = pytest.mark.timeout(LONGEST_S)
MAX_MB = 400
MINUTES = 59 if FULL else 4
SIDE_PX = 9_400
MICROPHONE = """
from edge.devices.microphone.portaudio import make_microphone
import sys
stream = make_microphone(sys.argv[1]).open()
assert stream.read(stream.rate_hz // 10).size
"""
CAMERA = """
from edge.devices.camera import open_camera
import sys
open_camera(sys.argv[1], 640, 480, 10).read()
"""


def flac(path: Path) -> Path:
    path = path / "long.flac"
    with soundfile.SoundFile(path, "w", 192_000, 2, "PCM_16") as file:
        for _ in range(MINUTES):
            file.write(np.zeros((192_000 * 60, 2), np.int16))
    return path


def wav(path: Path) -> Path:
    """Sparse: a header, and a hole."""
    path = path / "long.wav"
    soundfile.write(path, np.zeros((1, 2), np.int16), 192_000)
    header = bytearray(path.read_bytes()[:44])
    size = MINUTES * 60 * 192_000 * 4
    header[4:8], header[40:44] = (36 + size).to_bytes(4, "little"), size.to_bytes(4, "little")
    path.write_bytes(header)
    os.truncate(path, 44 + size)
    return path


def gsm(path: Path) -> Path:
    path = path / "telephone.wav"
    soundfile.write(path, np.zeros(8000), 8000, subtype="GSM610")
    return path


def image(mode: str, name: str, **options: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        Image.new(mode, (SIDE_PX, SIDE_PX)).save(folder / name, **options)
        return folder / name

    make.__name__ = f"{name}, {mode}"
    return make


TIFF = image("1", "a.tif", compression="group4")
GREY_16 = image("I;16", "a.png")
JPEG = image("L", "a.jpg")


@pytest.mark.parametrize(
    ("make", "code"), [(flac, 0), (wav, 0), (gsm, 0), (TIFF, 2), (GREY_16, 2), (JPEG, 0)]
)
def test_classify_needs_little_memory(
    tmp_path: Path, measured: Measured, make: Callable[[Path], Path], code: int
) -> None:
    file = make(tmp_path)
    ended, mb = run_python("-m", "edge", "classify", file, stderr=subprocess.DEVNULL)
    measured(f"`classify` {make.__name__}: peak memory", mb, MAX_MB, "MB")
    assert ended == code


@pytest.mark.parametrize(
    ("program", "make", "code"),
    [
        (MICROPHONE, flac, 0),
        (MICROPHONE, wav, 0),
        (MICROPHONE, gsm, 0),
        (CAMERA, TIFF, 1),
        (CAMERA, JPEG, 0),
    ],
)
def test_a_file_as_device_needs_little_memory(
    tmp_path: Path, measured: Measured, program: str, make: Callable[[Path], Path], code: int
) -> None:
    ended, mb = run_python("-c", program, make(tmp_path), stderr=subprocess.DEVNULL)
    measured(f"{make.__name__} as device: peak memory", mb, MAX_MB, "MB")
    assert ended == code


@pytest.mark.parametrize(
    ("service", "model", "changes"),
    [
        ("face", FACE, {"temperature": 1e-300}),
        ("face", FACE, {"temperature": float("nan")}),
        ("face", FACE, {"labels": ["a"] * 7, "reliability": {"a": 1}}),
        ("face", FACE, {"labels": ["x" * 300, *"bcdefg"], "reliability": {}}),
        ("audio", VOICE, {"features": {"fft_size": 2**30}}),
        ("audio", VOICE, {"features": {"rate_hz": 1}}),
        ("audio", VOICE, {"features": {"window_s": 1e9}}),
        ("audio", VOICE, {"features": {"frame_s": 1e-9}}),
    ],
)
def test_a_hostile_card_ends_its_process_with_one_line(
    config: Config, tmp_path: Path, service: str, model: Path, changes: dict[str, object]
) -> None:
    features = changes.get("features")
    if isinstance(features, dict):
        card = json.loads(model.with_suffix(".json").read_text())
        changes = {"features": {**card["features"], **features}}
    settings = msgspec.structs.replace(
        getattr(config, service), model=str(copy_of(model, tmp_path, **changes))
    )
    file = write_config(
        msgspec.structs.replace(config, **{service: settings}), tmp_path / "config.json"
    )
    with emotion_edge(service, "--config", file) as process:
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.count("\n")) == (78, 1), errors
    assert f"{model.stem}.json: " in errors
