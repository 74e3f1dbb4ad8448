"""The metrics: what they count, and how they are written."""

import re

import msgspec
import pytest

from edge.bus.messages import (
    OPTIONAL_SERVICES,
    SERVICES,
    AudioMessage,
    Emotion,
    FaceMessage,
    HealthMessage,
)
from edge.web.board import Board
from edge.web.metrics import Metrics
from tests.support.messages import EXAMPLES

S = 10**9


@pytest.fixture
def board() -> Board:
    return Board("en", OPTIONAL_SERVICES)


@pytest.fixture
def metrics(board: Board) -> Metrics:
    return Metrics(board, {"face_model": 'a "name"\n'})


def emotion(label: str, t_s: float, **fields: object) -> Emotion:
    known = {"emotion": label, "confidence": 0.9, "scores": {}, "face_age_s": 0.1, **fields}
    return Emotion(t_ns=round(t_s * S), time=0.0, **known)


def value(text: bytes, name: str) -> float:
    found = re.search(rf"(?m)^emotion_edge_{re.escape(name)} (\S+)$", text.decode())
    assert found, name
    return float(found[1])


def test_an_emotion_counts_as_long_as_it_lasts(metrics: Metrics) -> None:
    for t_s, label in ((0, "happy"), (0.5, "happy"), (1.0, "sad"), (1.25, "happy"), (1.5, "sad")):
        metrics.take("emotion", emotion(label, t_s))
    text = metrics.text(0)
    assert value(text, 'emotion_seconds_total{emotion="happy"}') == 1.25
    assert value(text, 'emotion_seconds_total{emotion="sad"}') == 0.25
    assert value(text, 'emotion_seconds_total{emotion="angry"}') == 0


def test_a_voice_alone_counts_although_its_capture_is_long_ago(metrics: Metrics) -> None:
    for age_ms in (0.0, 500.0, 1000.0):
        metrics.take(
            "emotion", emotion("sad", 5.0, age_ms=age_ms, face_age_s=None, voice_age_s=1.0)
        )
    assert value(metrics.text(0), 'emotion_seconds_total{emotion="sad"}') == 1.0


def test_nobody_is_counted_and_silence_is_not(metrics: Metrics) -> None:
    metrics.take("emotion", emotion("uncertain", 0, face_age_s=None))
    metrics.take("emotion", emotion("happy", 1))
    metrics.take("emotion", emotion("happy", 1001))
    text = metrics.text(0)
    assert value(text, 'emotion_seconds_total{emotion="nobody"}') == 1
    assert value(text, 'emotion_seconds_total{emotion="happy"}') == 2


def test_each_face_counts(metrics: Metrics) -> None:
    face = FaceMessage(
        t_ns=0, time=0.0, **{**EXAMPLES["face"], "faces": EXAMPLES["face"]["faces"] * 3}
    )
    metrics.take("face", face)
    metrics.take("face", msgspec.structs.replace(face, t_ns=S // 2))
    text = metrics.text(0)
    assert value(text, 'face_seconds_total{emotion="happy"}') == 1.5
    assert value(text, 'face_inference_seconds_bucket{le="0.005"}') == 2
    assert value(text, "face_inference_seconds_sum") == pytest.approx(0.01)


def test_labels_and_triggers_of_a_later_version_are_one_series(metrics: Metrics) -> None:
    for number in range(100):
        metrics.take("emotion", emotion(f"later {number}", number / 10))
        audio = AudioMessage(
            t_ns=0, time=0.0, **{**EXAMPLES["audio"], "trigger": f"later {number}"}
        )
        metrics.take("audio", audio)
    text = metrics.text(0)
    assert value(text, 'emotion_seconds_total{emotion="other"}') == pytest.approx(9.9)
    assert value(text, 'recordings_total{trigger="other",speech="true"}') == 100
    assert b"later" not in text


def test_a_restart_is_seen_by_the_uptime(board: Board, metrics: Metrics) -> None:
    for uptime_s in (5.0, 6.0, 1.0, 2.0, 0.5):
        health = HealthMessage(t_ns=0, time=0.0, **{**EXAMPLES["health"], "uptime_s": uptime_s})
        board.take("health.face", health)
        metrics.take("health.face", health)
    text = metrics.text(0)
    assert value(text, 'service_restarts_total{service="face"}') == 2
    assert value(text, 'service_up{service="face"}') == 1
    assert value(text, 'service_resident_memory_bytes{service="face"}') == 20 * 2**20


def test_a_service_that_is_silent_is_down_and_has_no_other_values(
    board: Board, metrics: Metrics
) -> None:
    health = HealthMessage(t_ns=0, time=0.0, **EXAMPLES["health"])
    board.take("health.face", health)
    text = metrics.text(60 * S)
    assert value(text, 'service_up{service="face"}') == 0
    assert b'service_rate_hertz{service="face"}' not in text


def test_values_of_labels_are_escaped(metrics: Metrics) -> None:
    assert rb'face_model="a \"name\"\n"' in metrics.text(0)


def test_there_are_at_most_150_series_with_everything_on(board: Board, metrics: Metrics) -> None:
    health = HealthMessage(t_ns=0, time=0.0, **EXAMPLES["health"], soc_c=50.0, throttled=False)
    for name in (*SERVICES, *OPTIONAL_SERVICES):
        board.take(f"health.{name}", health)
        metrics.take(f"health.{name}", health)
    board.take("face", FaceMessage(t_ns=0, time=0.0, **EXAMPLES["face"]))
    metrics.take("audio", AudioMessage(t_ns=0, time=0.0, **EXAMPLES["audio"]))
    lines = [line for line in metrics.text(0).decode().splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines)) <= 150
