"""What the wheels hold, and that each requirement is the same wherever it stands."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import edge

ROOT = Path(__file__).resolve().parents[2]

PROJECT = msgspec.toml.decode((ROOT / "pyproject.toml").read_bytes())
SETUPTOOLS = Version(importlib.metadata.version("setuptools"))
IGNORED = shutil.ignore_patterns("__pycache__", "build", "*.egg-info", "*.onnx")
MAX_SUBSCRIBER_BYTES = 500_000
needs_setuptools = pytest.mark.skipif(
    Version("77") > SETUPTOOLS, reason=f"setuptools {SETUPTOOLS}: pip install -e .[dev]"
)


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--no-deps", "--no-index", "-q"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel of the program and that of the models, built from a copy of the checkout."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("edge", "models_tflite"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=IGNORED)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    built = copy / "wheels"
    pip("wheel", "--no-build-isolation", "-w", built, copy, copy / "models_tflite")
    return next(built.glob("emotion_edge-0*")), next(built.glob("emotion_edge_models-*"))


@needs_setuptools
def test_a_subscriber_gets_no_models(wheels: tuple[Path, Path]) -> None:
    program, models = wheels
    assert program.stat().st_size < MAX_SUBSCRIBER_BYTES < models.stat().st_size
    names = zipfile.ZipFile(program).namelist()
    assert not [name for name in names if name.endswith((".tflite", ".onnx"))]
    assert {"edge/client.py", "edge/bus/messages.schema.json", "edge/assets/astronaut.jpg"} <= {
        *names
    }


@needs_setuptools
def test_both_wheels_together_are_a_device(wheels: tuple[Path, Path], tmp_path: Path) -> None:
    pip("install", "--target", tmp_path, *wheels)
    code = "from edge import __version__, client; from edge.paths import MODELS; print(MODELS)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == str(tmp_path / "models_tflite"), done.stderr
    shipped = {path.name for path in (ROOT / "models_tflite").glob("*.tflite")}
    assert {path.name for path in (tmp_path / "models_tflite").glob("*.tflite")} == shipped


def test_the_device_extra_is_requirements_edge_and_discovery() -> None:
    lines = (ROOT / "requirements-edge.txt").read_text().splitlines()
    wanted = {str(Requirement(line)) for line in lines if line and not line.startswith("#")}
    extras = PROJECT["project"]["optional-dependencies"]
    wanted |= {str(Requirement(line)) for line in extras["discovery"]}
    assert {str(Requirement(line)) for line in extras["device"]} == wanted


def test_the_version_stands_in_one_place() -> None:
    assert "version" in PROJECT["project"]["dynamic"]
    assert f"## [{edge.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
