"""Messages of the bus become rows: one a second, with means, each second once."""

import math
import random

import pytest

from edge.bus import excerpts
from edge.bus.messages import (
    EMOTION_LABELS,
    FACE_LABELS,
    NOBODY,
    AudioMessage,
    Emotion,
    FaceResult,
    HealthMessage,
    Message,
    encode,
)
from edge.policy.seconds import CLOSE_S, SCALE, TABLES, Seconds
from tests.support.recordings import face_message

S = 10**9
OFFSET_S = 1_700_000_000.0
FAR = 2**62
AT = {table: {name: n for n, name in enumerate(names)} for table, names in TABLES.items()}


def result(scores: dict[str, float], number: int = 1, box=(10.0, 20.0, 30.0, 40.0)) -> FaceResult:
    label = max(scores, key=lambda name: scores[name])
    return FaceResult(id=number, box=box, emotion=label, confidence=scores[label], scores=scores)


def take(seconds: Seconds, topic: str, message: Message) -> None:
    """As it comes over the bus."""
    seconds.take(topic, excerpts.decode(topic, encode(message)))


def emotion(t_s: float, label: str, face_age_s: float | None = 0.0, age_ms: float = 0.0) -> Emotion:
    scores = dict.fromkeys(EMOTION_LABELS, 0.0) | ({label: 1.0} if label in EMOTION_LABELS else {})
    return Emotion(
        t_ns=round(t_s * S), time=0.0, age_ms=age_ms, emotion=label, confidence=1.0,
        scores=scores, face_age_s=face_age_s,
    )  # fmt: skip


def values(rows, table, column):
    return [row.values[AT[table][column]] for row in rows if row.table == table]


def test_means_are_those_of_all_results_within_one_part_of_255():
    random.seed(3)
    seconds, given = Seconds(10.0, OFFSET_S), []
    for n in range(30):
        scores = {name: random.random() for name in FACE_LABELS}
        given.append(scores)
        take(seconds, "face", face_message(round((11 + n / 30) * S), result(scores)))
    rows = seconds.closed(20.0, FAR)
    assert values(rows, "face", "n") == [30]
    for name in FACE_LABELS:
        mean = sum(scores[name] for scores in given) / 30
        assert abs(values(rows, "face", name)[0] / SCALE - mean) <= 0.5 / SCALE + 1e-9


def test_every_second_has_one_row_also_where_nothing_came():
    seconds = Seconds(10.4, OFFSET_S)
    rows = seconds.closed(15.0, FAR) + seconds.closed(15.2, FAR) + seconds.close(16.5)
    assert values(rows, "emotion", "t") == [1_700_000_000 + n for n in range(10, 17)]
    assert set(values(rows, "emotion", "n")) == {0}
    assert set(values(rows, "emotion", "faces")) == {None}


def test_a_second_is_closed_once_late_results_had_their_time():
    seconds = Seconds(10.0, OFFSET_S)
    assert seconds.closed(10.99 + CLOSE_S, FAR) == []
    take(seconds, "face", face_message(round(10.9 * S), result({"sad": 0.5})))
    assert values(seconds.closed(11.01 + CLOSE_S, FAR), "face", "n") == [1]
    take(seconds, "face", face_message(round(10.95 * S), result({"sad": 0.5})))
    assert seconds.dropped == 1


def test_rows_stop_at_midnight_for_the_next_file():
    seconds = Seconds(10.0, OFFSET_S)
    midnight = 1_700_000_015
    assert values(seconds.closed(30.0, midnight), "emotion", "t")[-1] == midnight - 1
    assert seconds.next_t == midnight
    assert values(seconds.closed(30.0, midnight + 86_400), "emotion", "t")[0] == midnight


def test_the_label_is_the_commonest_and_its_share_is_kept():
    seconds = Seconds(10.0, OFFSET_S)
    for n, label in enumerate(["happy", "sad", "happy", "happy"]):
        take(seconds, "emotion", emotion(10.1 + n / 10, label))
    rows = seconds.close(10.9)
    assert values(rows, "emotion", "emotion") == ["happy"]
    assert values(rows, "emotion", "share") == [round(0.75 * SCALE)]


def test_nobody_has_no_scores():
    seconds = Seconds(10.0, OFFSET_S)
    take(seconds, "emotion", emotion(10.1, "uncertain", face_age_s=None))
    rows = seconds.close(10.9)
    assert values(rows, "emotion", "emotion") == [NOBODY]
    assert values(rows, "emotion", "happy") == values(rows, "emotion", "confidence") == [None]


def test_an_emotion_counts_for_the_second_in_which_it_was_published():
    """That of a voice alone has the voice's time of capture, for half a minute."""
    seconds = Seconds(10.0, OFFSET_S)
    for n in range(3):
        take(seconds, "emotion", emotion(10.2, "sad", age_ms=1000.0 * n))
    assert values(seconds.close(12.9), "emotion", "n") == [1, 1, 1]


def test_sixty_four_faces_are_sixty_four_rows():
    seconds = Seconds(10.0, OFFSET_S)
    faces = [result({"happy": 0.5}, number) for number in range(64)]
    for n in range(30):
        take(seconds, "face", face_message(round((10 + n / 30) * S), *faces))
    rows = seconds.close(10.9)
    assert sorted(values(rows, "face", "id")) == list(range(64))
    assert values(rows, "emotion", "faces") == [64.0]


def test_a_label_without_a_score_is_unknown_and_not_zero():
    seconds = Seconds(10.0, OFFSET_S)
    take(seconds, "face", face_message(10 * S, result({"happy": 0.5, "contempt": 0.4})))
    rows = seconds.close(10.9)
    assert values(rows, "face", "happy") == [128] and values(rows, "face", "sad") == [None]


def test_in_detail_every_frame_is_a_row():
    seconds = Seconds(10.0, OFFSET_S, every_frame=True)
    for n in range(30):
        take(seconds, "face", face_message(round((10 + n / 30) * S), result({"happy": 0.5})))
    rows = seconds.close(10.99)
    assert len(values(rows, "face", "t")) == 30 and values(rows, "emotion", "frames") == [30]
    assert all(isinstance(t, float) for t in values(rows, "face", "t"))


def test_a_recording_without_speech_is_kept_without_an_emotion():
    seconds = Seconds(10.0, OFFSET_S)
    message = AudioMessage(
        t_ns=10 * S, time=0.0, trigger="key", duration_s=2.0, speech=False, level_dbfs=-60.0,
        inference_ms=1.0,
    )  # fmt: skip
    take(seconds, "audio", message)
    rows = seconds.close(10.9)
    assert values(rows, "voice", "emotion") == [None] and values(rows, "voice", "speech") == [0]


def health(t_s: float, state: str, detail: str) -> HealthMessage:
    return HealthMessage(
        t_ns=round(t_s * S), time=0.0, state=state, detail=detail, rate_hz=1.0, dropped=0,
        rss_mb=1.0, uptime_s=1.0, version="0",
    )  # fmt: skip


def test_health_is_kept_when_it_changes_and_no_figures_of_what_is_well():
    seconds = Seconds(10.0, OFFSET_S)
    for n in range(100):
        take(seconds, "health.face", health(10 + n, "ok", f"age {n} ms"))
    take(seconds, "health.face", health(110, "degraded", "no frames"))
    take(seconds, "health.face", health(111, "degraded", "no frames"))
    take(seconds, "health.face", health(112, "degraded", "no frames for 2 s"))
    take(seconds, "health.face", health(113, "ok", ""))
    rows = seconds.close(114.0)
    assert values(rows, "health", "state") == ["ok", "degraded", "ok"]
    assert values(rows, "health", "detail") == ["", "no frames", ""]


def test_a_second_of_somebody_and_of_nobody_has_the_scores_of_somebody():
    seconds = Seconds(10.0, OFFSET_S)
    for n, age_s in enumerate([0.0, None, None]):
        take(seconds, "emotion", emotion(10.1 + n / 10, "happy", face_age_s=age_s))
    rows = seconds.close(10.9)
    assert values(rows, "emotion", "emotion") == [NOBODY] and values(rows, "emotion", "n") == [3]
    assert values(rows, "emotion", "share") == [170] and values(rows, "emotion", "happy") == [255]


def test_a_mean_is_of_the_results_that_have_that_score():
    seconds = Seconds(10.0, OFFSET_S)
    for scores in ({"happy": 0.5, "sad": 0.25}, {"happy": 1.0}):
        take(seconds, "face", face_message(10 * S, result(scores)))
    rows = seconds.close(10.9)
    assert values(rows, "face", "happy") == [191] and values(rows, "face", "sad") == [64]


@pytest.mark.parametrize("offset_s", [0.0, OFFSET_S, OFFSET_S + 0.73])
def test_a_second_is_one_of_unix_time(offset_s: float):
    seconds = Seconds(10.0, offset_s)
    take(seconds, "face", face_message(round(12.5 * S), result({"happy": 1.0})))
    (t,) = values(seconds.close(13.0), "face", "t")
    assert t == math.floor(12.5 + offset_s)
