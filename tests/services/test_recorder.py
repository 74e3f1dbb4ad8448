"""The recorder among real processes: what is on the bus is in its files, once, and is read back."""

import contextlib
import functools
import hashlib
import json
import math
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import pytest
import zmq

from edge.bus import history, recordings
from edge.bus.history import History, HistoryRequest, connect_history, decode_history
from edge.bus.messages import (
    EMOTION_LABELS,
    FACE_LABELS,
    BadMessageError,
    Emotion,
    FaceResult,
    HealthMessage,
    Press,
)
from edge.bus.pubsub import Publisher, Subscriber
from edge.bus.recordings import Span
from edge.bus.requests import ask
from edge.commands.main import main
from edge.config import Config, RecorderConfig
from edge.errors import ConfigError, ExitCode
from edge.policy.seconds import SCALE, Row
from edge.recordings import days
from edge.recordings.days import locked
from edge.recordings.source import RecordingsError, Source
from edge.recordings.store import Store
from edge.recordings.table import Table
from edge.runtime.loop import Loop
from edge.services import recorder
from edge.services.health import Health
from edge.services.recorder import RecorderService
from tests.support.harness import PATIENCE_S, listening, publishing, running, wait_for, write_config
from tests.support.messages import example
from tests.support.recordings import ABOUT, face_message, record
from tests.support.web import serving, with_web

HOUR_S = 3600
NOBODY = 65_534


@pytest.fixture
def kept(with_hub: Config, directory: Path) -> Config:
    """The settings of a recorder, with a hub running."""
    settings = RecorderConfig(keep_days=3, flush_s=5, directory=str(directory / "kept"))
    return msgspec.structs.replace(with_hub, recorder=settings)


@pytest.fixture
def running_recorder(kept: Config) -> Iterator[Config]:
    with running(recorder.run, kept), listening(kept.endpoint("out"), "health.recorder") as heard:
        heard.topic("health.recorder")
        yield kept


class SettableClock:
    """A Unix time that somebody may set."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s

    def __call__(self) -> tuple[float, float]:
        return time.monotonic(), time.time() + self.ahead_s


def face(label: str = "happy", score: float = 0.9, number: int = 1) -> FaceResult:
    scores = {name: score if name == label else (1 - score) / 6 for name in FACE_LABELS}
    return FaceResult(
        id=number, box=(10.0, 20.0, 30.0, 40.0), emotion=label, confidence=score, scores=scores
    )


def publish_for(bus: Publisher, seconds: float) -> list[tuple[float, dict[str, float]]]:
    """Faces of random scores at 30 Hz; returns (capture, scores) of each."""
    sent, end_s, n = [], time.monotonic() + seconds, 0
    while (now_s := time.monotonic()) < end_s:
        found = face(FACE_LABELS[n // 9 % 7], 0.3 + (n * 7919 % 101) / 145)
        message = face_message(time.monotonic_ns(), found)
        bus.publish("face", message)
        sent.append((message.t_ns / 1e9, dict(found.scores)))
        n += 1
        time.sleep(max(0.0, now_s + 1 / 30 - time.monotonic()))
    return sent


def table_of(config: Config) -> list:
    with closing(Source(config)) as source:
        return [*Table(None).lines(source.chunks(Span()))]


def rows_of(config: Config, sql: str) -> list[tuple]:
    found = []
    for path in days.days_in(config.recordings_directory):
        with closing(sqlite3.connect(path)) as connection:
            found += connection.execute(sql).fetchall()
    return found


def test_every_second_of_the_bus_is_kept_once_with_its_means(kept: Config, bus: Publisher) -> None:
    with running(recorder.run, kept):
        sent = publish_for(bus, 4.5)
        time.sleep(0.6)  # the last ones are on their way
    rows = rows_of(kept, f"SELECT t, n, {', '.join(FACE_LABELS)} FROM face ORDER BY t")
    (unix_s, monotonic_s) = rows_of(kept, "SELECT unix_s, monotonic_s FROM stretch")[0]
    by_second: dict[int, list[dict[str, float]]] = {}
    for t_s, scores in sent:
        by_second.setdefault(int(t_s + unix_s - monotonic_s), []).append(scores)
    assert len({t for t, *_ in rows}) == len(rows) >= 4
    # The beginning may be missing: a subscription takes a moment, and rounding one of its edges.
    for t, n, *means in rows[1:-1]:
        assert abs(n - len(by_second[t])) <= 1
        if n == len(by_second[t]):
            for name, mean in zip(FACE_LABELS, means, strict=True):
                truth = sum(scores[name] for scores in by_second[t]) / n
                assert abs(mean / SCALE - truth) <= 1 / SCALE
    seconds = [t for (t,) in rows_of(kept, "SELECT t FROM emotion ORDER BY t")]
    assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))


def test_health_says_that_data_is_recorded_and_the_screen_knows(running_recorder: Config) -> None:
    with listening(running_recorder.endpoint("out"), "health.recorder") as listener:
        message = listener.until(lambda _, m: m.recording_data)
    assert message.state == "ok" and "keeps 3 days" in message.detail


def run_session(config: Config, *arguments: str) -> int:
    file = write_config(config, config.directory / "config.json")
    return main([*arguments, "--config", str(file)])


def test_a_session_from_its_start_to_its_erasure(
    running_recorder: Config, bus: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    note = 'first, "pilot"\n=cmd() 🙂'
    assert run_session(running_recorder, "session", "list") == ExitCode.OK
    assert capsys.readouterr() == ("", "no session yet; emotion-edge session start begins one\n")
    assert run_session(running_recorder, "session", "stop") == ExitCode.FAILED
    assert "no session is running" in capsys.readouterr().err
    started = run_session(
        running_recorder, "session", "start", "--note", note, "--consent", "form 12"
    )
    assert started == ExitCode.OK
    name = capsys.readouterr().out.split()[1]
    publish_for(bus, 0.5)
    assert run_session(running_recorder, "session", "mark", "film\nbegins") == ExitCode.OK
    publish_for(bus, 0.5)
    assert run_session(running_recorder, "session", "start") == ExitCode.FAILED
    assert f"{name} is running" in capsys.readouterr().err
    assert run_session(running_recorder, "session", "delete", name) == ExitCode.FAILED
    assert run_session(running_recorder, "session", "stop") == ExitCode.OK
    capsys.readouterr()
    run_session(running_recorder, "session", "list")
    listed = capsys.readouterr().out
    assert listed.count("\n") == 1 and name in listed and "form 12" in listed
    run_session(running_recorder, "export", name, "--format", "jsonl")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["session"]["note"] == note
    assert [line["text"] for line in lines if line["kind"] == "mark"] == ["film\nbegins"]
    run_session(running_recorder, "summary", name)
    assert "film begins" in capsys.readouterr().out
    capsys.readouterr()
    assert run_session(running_recorder, "session", "delete", name) == ExitCode.OK
    gone = capsys.readouterr().out
    assert re.match(rf"session {name} is erased: 0:00:\d\d from 20.*everybody who was there", gone)
    folder = running_recorder.recordings_directory
    raw = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"pilot" not in raw and b"form 12" not in raw and b"begins" not in raw
    assert run_session(running_recorder, "export", name) == ExitCode.FAILED
    publish_for(bus, 1.0)  # and it goes on
    wait_for(lambda: any(line.kind == "face" for line in table_of(running_recorder)), "a face")


def test_a_note_that_is_too_long_is_refused_before_it_is_sent(
    running_recorder: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_session(running_recorder, "session", "start", "--note", "x" * 10**6) == 2
    assert "1000000 characters; there may be 2000" in capsys.readouterr().err
    assert run_session(running_recorder, "session", "mark", " ") == ExitCode.USAGE


def test_without_a_recorder_the_files_are_read_and_a_start_names_the_fix(
    kept: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    record(kept.recordings_directory, 1_800_000_000, 5)
    assert len([line for line in table_of(kept) if line.kind == "emotion"]) == 5
    assert run_session(kept, "session", "start") == ExitCode.FAILED
    assert "set recorder.keep_days" in capsys.readouterr().err


def test_two_presses_in_a_moment_are_a_mark(running_recorder: Config, bus: Publisher) -> None:
    def marks() -> list[str]:
        return [line.cell("text") for line in table_of(running_recorder) if line.kind == "mark"]

    rounds = 0
    while not marks():  # on a busy machine a press comes late, and is none then
        rounds += 1
        start_ns = time.monotonic_ns() - 1_300_000_000  # the hub takes none from the future
        for after_s in (0.0, 0.3, 1.3):
            t_ns = start_ns + int(after_s * 1e9)
            bus.publish("press", Press(t_ns=t_ns, time=time.time(), trigger="button"))
        time.sleep(3.0)  # a round begins 1.3 s ago
    assert {*marks()} == {recorder.DOUBLE_PRESS}
    assert len(marks()) <= rounds


def ask_history(config: Config, **fields: object) -> History:
    with closing(connect_history(config.endpoint(history.ENDPOINT))) as socket:
        socket.send(json.dumps(fields).encode())
        assert socket.poll(int(PATIENCE_S * 1e3))
        return decode_history(socket.recv())


def test_the_page_reads_days_in_as_many_points_as_it_wants(kept: Config) -> None:
    start = days.day_start("2026-11-22")
    record(kept.recordings_directory, start + 80_000, 10_000)
    with running(recorder.run, kept), listening(kept.endpoint("out"), "health.recorder") as heard:
        heard.topic("health.recorder")
        found = ask_history(kept, since=start, until=start + 3 * 86_400, points=300)
    assert found.error == "" and found.step_s == 864
    assert len(found.t) == len(found.faces) == len(found.emotion["happy"]) == 300
    known = [n for n, faces in enumerate(found.faces) if faces is not None]
    assert known == [*range(80_000 // 864, 90_000 // 864 + 1)]
    assert all(found.emotion["happy"][n] is not None for n in known)
    sums = [sum(found.emotion[name][n] or 0 for name in found.emotion) for n in known]
    assert all(0.9 < total < 1.1 for total in sums)
    shares = [sum(column[n] for column in found.labels.values()) for n in range(300)]
    assert all(shares[n] == pytest.approx(1, abs=0.01) for n in known[1:-1])
    assert sum(shares) * 864 == pytest.approx(10_000, abs=10)
    assert sum(found.labels["nobody"]) * 864 == pytest.approx(10_000 / 5, rel=0.05)


def test_one_day_is_singular(kept: Config) -> None:
    settings = msgspec.structs.replace(kept.recorder, keep_days=1)
    config = msgspec.structs.replace(kept, recorder=settings)
    with running(recorder.run, config), listening(kept.endpoint("out"), "health.recorder") as heard:
        found = heard.topic("health.recorder")
    assert isinstance(found, HealthMessage) and found.detail.startswith("keeps 1 day in ")


def test_a_second_without_a_decision_is_nobodys_where_no_face_was_seen(kept: Config) -> None:
    """`nobody` is published once a second: some have none. Without frames nothing is known."""
    start = days.day_start("2026-11-22")
    unknown = (None,) * (3 + len(EMOTION_LABELS))
    uncertain = ("uncertain", SCALE, 0, *[SCALE // 8] * len(EMOTION_LABELS))
    seconds = [(30, 0.0, unknown), (30, 1.0, unknown), (0, None, unknown), (30, 1.0, uncertain)]
    with locked(kept.recordings_directory):
        store = Store(kept.recordings_directory, ABOUT)
        store.begin(start, 100.0, "start")
        for t, (frames, faces, means) in enumerate(seconds, start):
            store.add([Row("emotion", (t, 0, frames, faces, *means))])
        store.close()
    with running(recorder.run, kept), listening(kept.endpoint("out"), "health.recorder") as heard:
        heard.topic("health.recorder")
        found = ask_history(kept, since=start, until=start + 4, points=4)
    assert found.labels == {"uncertain": [0, 0, 0, 1], "nobody": [1, 0, 0, 0]}


@pytest.mark.parametrize(
    "fields",
    [{}, {"since": 5, "until": 5}, {"since": 0, "until": 9, "points": 10**6}, {"since": "x"}],
)
def test_a_request_for_history_that_makes_no_sense_is_answered(
    running_recorder: Config, fields: dict[str, object]
) -> None:
    assert ask_history(running_recorder, **fields).error.startswith("history: ")


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"{}", b'{"type":"mark"}', b'{"type":"dance"}', b"[" * 5000]
)
def test_a_request_that_makes_no_sense_is_answered(running_recorder: Config, body: bytes) -> None:
    endpoint = running_recorder.endpoint(recordings.ENDPOINT)
    answer = msgspec.json.decode(ask(endpoint, body, PATIENCE_S), type=recordings.Answer)
    assert answer.error.startswith("recordings: ")


def test_a_client_with_a_req_socket_is_answered_too(running_recorder: Config) -> None:
    with closing(zmq.Context.instance().socket(zmq.REQ)) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(running_recorder.endpoint(history.ENDPOINT))
        socket.send(history.encode(HistoryRequest(since=1.0, until=2.0)))
        assert socket.poll(int(PATIENCE_S * 1e3))
        assert decode_history(socket.recv()).error == ""


def seconds_kept(config: Config) -> int:
    return len(rows_of(config, "SELECT t FROM emotion"))


@pytest.mark.parametrize("hour", [12.0, 0.5], ids=["at noon", "into the day before"])
def test_a_clock_that_is_set_back_begins_a_stretch_and_no_second_is_written_over(
    kept: Config, bus: Publisher, hour: float
) -> None:
    clock = SettableClock(days.day_start("2026-12-31") + hour * HOUR_S - time.time())
    with running(functools.partial(recorder.serve, clock=clock), kept):
        publish_for(bus, 2.0)
        clock.ahead_s -= HOUR_S
        publish_for(bus, 2.0)
        time.sleep(0.6)
    stretches = rows_of(kept, "SELECT monotonic_s, unix_s, why FROM stretch")
    (before_s, before_unix, began), (after_s, after_unix, went_on) = sorted(stretches)
    assert (began, went_on) == ("start", "clock")
    moved_s = (after_unix - after_s) - (before_unix - before_s)
    assert moved_s == pytest.approx(-HOUR_S, abs=0.2)
    found = rows_of(kept, "SELECT stretch, t FROM emotion")
    assert len(set(found)) == len(found) >= 4


def test_at_midnight_the_next_file_goes_on_without_a_gap(kept: Config, bus: Publisher) -> None:
    ahead_s = days.day_start("2026-12-31") - time.time() - 2.0
    with running(functools.partial(recorder.serve, clock=SettableClock(ahead_s)), kept):
        publish_for(bus, 5.0)
        time.sleep(0.6)
    names = [path.name for path in days.days_in(kept.recordings_directory)]
    assert names == ["2026-12-30.db", "2026-12-31.db"]
    seconds = [t for (t,) in rows_of(kept, "SELECT t FROM emotion ORDER BY t")]
    assert seconds == list(range(seconds[0], seconds[0] + len(seconds))) and len(seconds) >= 4
    midnight = days.day_start("2026-12-31")
    assert seconds[0] < midnight < seconds[-1]
    lines = table_of(kept)
    assert [line for line in lines if line.kind == "gap"] == []


@pytest.mark.usefixtures("running_recorder")
def test_after_a_restart_of_the_face_process_its_ids_mean_others(kept: Config) -> None:
    for _ in range(2):  # each counts its messages from 0
        with publishing(kept) as bus:
            publish_for(bus, 1.5)
    wait_for(
        lambda: {line.cell("stretch") for line in table_of(kept) if line.kind == "face"} == {1, 2},
        "two stretches with faces",
        2 * PATIENCE_S,
    )
    assert "faces" in [why for (why,) in rows_of(kept, "SELECT why FROM stretch")]


def test_a_file_that_is_removed_is_in_health_within_five_seconds_and_it_goes_on(
    running_recorder: Config, bus: Publisher
) -> None:
    wait_for(lambda: bool(days.days_in(running_recorder.recordings_directory)), "a file")
    with listening(running_recorder.endpoint("out"), "health.recorder") as listener:
        days.days_in(running_recorder.recordings_directory)[0].unlink()
        message = listener.until(lambda _, m: m.state == "degraded", 5.0)
        assert "was removed or replaced" in message.detail
    publish_for(bus, 1.5)
    wait_for(lambda: any(line.kind == "face" for line in table_of(running_recorder)), "a face")


def test_when_the_recorder_stops_all_that_came_is_in_the_file(kept: Config, bus: Publisher) -> None:
    with running(recorder.run, kept):
        publish_for(bus, 1.2)
        time.sleep(0.6)
    assert rows_of(kept, "SELECT sum(n) FROM face")[0][0] >= 20
    assert [path.name[-3:] for path in kept.recordings_directory.iterdir()] == [".db"]


@pytest.mark.usefixtures("running_recorder")
def test_a_second_recorder_of_the_same_folder_ends_with_one_line(kept: Config) -> None:
    with (
        pytest.raises(ConfigError, match="another recorder writes there"),
        running(recorder.run, kept),
    ):
        pass


def test_an_emotion_of_nobody_and_of_a_voice_are_kept_apart(
    running_recorder: Config, bus: Publisher
) -> None:
    spoken = example("emotion")
    assert isinstance(spoken, Emotion)
    for _ in range(12):
        now = {"t_ns": time.monotonic_ns(), "time": time.time()}
        bus.publish("emotion", msgspec.structs.replace(spoken, **now))
        time.sleep(0.125)
    wait_for(lambda: any(line.cell("calm") for line in table_of(running_recorder)), "calm")


class Watch:
    """Two clocks that a test moves."""

    monotonic_s, unix_s = 100.0, float(days.day_start("2026-11-23"))

    def __call__(self) -> tuple[float, float]:
        return self.monotonic_s, self.unix_s

    def wait(self, seconds: float) -> None:
        self.monotonic_s += seconds
        self.unix_s += seconds


def test_an_old_day_goes_soon_after_midnight_but_not_by_a_clock_that_was_just_set(
    kept: Config, bus: Publisher
) -> None:
    folder, watch, loop = kept.recordings_directory, Watch(), Loop()
    record(folder, int(watch.unix_s) - 3 * 86_400 + 5, 2)
    with closing(Subscriber(kept.endpoint("out"), ["none"])) as silent, locked(folder):
        store = Store(folder, ABOUT)
        health = Health(bus, "recorder", loop)
        service = RecorderService(kept, loop, store, bus, health, watch)

        def days_after(seconds: float, ahead_s: float = 0.0) -> list[str]:
            watch.wait(seconds)
            watch.unix_s += ahead_s
            service.on_tick(silent)
            service.remove_old()
            return [path.name[:10] for path in days.days_in(folder)]

        old, today = "2026-11-20", "2026-11-23"
        assert days_after(10) == [old, today]  # the clock may be wrong at first
        assert days_after(600) == [today]
        record_day = days_after(0, ahead_s=400 * 86_400)
        assert record_day == [today, "2027-12-28"]  # a wrong clock, for a moment
        assert days_after(5, ahead_s=-400 * 86_400)[0] == today
        service.close()
    loop.close()


def test_export_and_the_recorder_do_not_wait_for_each_other(kept: Config, bus: Publisher) -> None:
    """While an hour is read, every second is kept all the same."""
    record(kept.recordings_directory, 1_700_000_000, 3600)
    with running(recorder.run, kept):
        reading = threading.Thread(target=table_of, args=(kept,))
        reading.start()
        publish_for(bus, 3.0)
        reading.join()
        time.sleep(0.6)
    found = rows_of(kept, "SELECT t FROM emotion WHERE t > 1750000000 ORDER BY t")
    seconds = [t for (t,) in found]
    assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))


def test_files_that_this_user_may_not_read_name_the_fix(directory: Path, config: Config) -> None:
    record(directory / "kept", 1_800_000_000, 2)
    for path in (directory / "kept").iterdir():
        path.chmod(0)
    settings = RecorderConfig(keep_days=3, directory=str(directory / "kept"))
    closed = msgspec.structs.replace(config, recorder=settings)
    wanted = pytest.raises(RecordingsError, match="sudo may read")
    with closing(Source(closed)) as source, as_nobody(directory), wanted:
        source.sessions()


@contextlib.contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Without root's right to read everything, where the tests have it."""
    if os.geteuid() != 0:
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("put", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_folder_named_as_a_day_stops_neither_the_recorder_nor_a_reader(
    kept: Config, bus: Publisher, put: Callable[[Path], None]
) -> None:
    folder, day = kept.recordings_directory, days.day_start("2026-11-20")
    record(folder, day + 86_400, 5)
    put(folder / "2026-11-20.db")
    assert len([line for line in table_of(kept) if line.kind == "emotion"]) == 5
    assert run_session(kept, "session", "list") == ExitCode.OK
    with running(recorder.run, kept), listening(kept.endpoint("out"), "health.recorder") as heard:
        message = heard.until(lambda _, m: m.state == "degraded")
        assert "2026-11-20.db was no file; it is kept as 2026-11-20.db.broken-" in message.detail
        assert message.recording_data
        publish_for(bus, 1.0)
        wait_for(lambda: any(line.kind == "face" for line in table_of(kept)), "a face")
        assert ask_history(kept, since=day, until=day + 3 * 86_400).error == ""


def test_the_page_shows_a_day_of_what_was_kept(running_recorder: Config, bus: Publisher) -> None:
    config, now_s = with_web(running_recorder), int(time.time())
    span = f"/history.json?since={now_s - 86_400}&until={now_s + 60}&points=2000"

    with serving(config) as page:

        def faces() -> list[float]:
            history = page.get(span).json()
            assert history["error"] == ""
            return [count for count in history["faces"] if count is not None]

        publish_for(bus, 1.5)
        wait_for(lambda: faces() != [], "the recorder writes what it has")


def test_spans_that_end_between_two_floats_are_answered(kept: Config) -> None:
    start = days.day_start("2026-11-22") + 1000
    record(kept.recordings_directory, start, 20)
    until = math.nextafter(start + 19.0, math.inf)
    with running(recorder.run, kept), listening(kept.endpoint("out"), "health.recorder") as heard:
        heard.topic("health.recorder")
        for points in range(1600, 1800):
            assert ask_history(kept, since=0, until=until, points=points).error == ""


def test_it_reads_for_a_few_pages_at_once_and_refuses_more(running_recorder: Config) -> None:
    request = json.dumps({"since": 0.0, "until": 1e9, "points": 1}).encode()
    with ExitStack() as stack:
        endpoint = running_recorder.endpoint(history.ENDPOINT)
        sockets = [stack.enter_context(closing(connect_history(endpoint))) for _ in range(30)]
        for socket in sockets:
            socket.send(request)
        for socket in sockets:
            assert socket.poll(int(PATIENCE_S * 1e3))
        errors = {decode_history(socket.recv()).error for socket in sockets}
    assert "" in errors and errors <= {"", "busy; try again"}


@pytest.mark.parametrize(
    "span",
    [{"since": 1e17}, {"until": -1e300}, {"stop": [2**63, 0]}, {"start": [-1, 0]}],
)
def test_impossible_spans_are_refused(span: dict[str, object]) -> None:
    with pytest.raises(BadMessageError, match="Expected"):
        recordings.decode_request(json.dumps({"type": "rows", "span": span}).encode())


def test_what_made_the_results_is_named_with_its_hash() -> None:
    config = Config()
    named = json.loads(recorder.models_of(config))
    for kind, model in (("face", config.face.model), ("voice", config.audio.model)):
        digest = hashlib.sha256(Path(model).read_bytes()).hexdigest()
        assert named[kind] == f"{Path(model).name} sha256:{digest}"
    missing = msgspec.structs.replace(config.face, model="/nowhere/a.tflite")
    assert "face" not in recorder.models_of(msgspec.structs.replace(config, face=missing))
