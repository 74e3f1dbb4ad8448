"""The shipped models, copies of them to spoil, and the research data where it is there."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.harness import DATA, ROOT

FACE = ROOT / "models_tflite" / "face_emotion.tflite"
VOICE = ROOT / "models_tflite" / "voice_emotion.tflite"
GATE = ROOT / "models_tflite" / "speech_activity.tflite"
BASELINE = ROOT / "training" / "baseline" / "voice_baseline.tflite"


def research_data(name: str) -> Path:
    """The file or folder of that name in the data beside the project, or the test skips."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there (EMOTION_EDGE_DATA names the folder)")
    return path


def copy_of(model: Path, folder: Path, **changes: Any) -> Path:
    """A copy of a model and its card in `folder`, with some of the card's fields changed."""
    copy = Path(shutil.copy(model, folder))
    card = json.loads(model.with_suffix(".json").read_text())
    copy.with_suffix(".json").write_text(json.dumps({**card, **changes}))
    return copy


def with_content(model: Path, content: bytes) -> Path:
    """The same path holding other bytes, of which its card knows the sha256."""
    model.write_bytes(content)
    card = json.loads(model.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256(content).hexdigest()
    model.with_suffix(".json").write_text(json.dumps(card))
    return model
