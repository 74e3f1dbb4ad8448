"""The pages: frames with their own faces, states, problems, viewers; a press; history; files."""

import asyncio
import contextlib
import csv
import io
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

pytest.importorskip("tornado", reason="no tornado: pip install -e '.[web]'")

from edge.bus.frames import FramePublisher
from edge.bus.history import History, HistoryRequest, decode_request, encode
from edge.bus.messages import (
    SERVICES,
    AudioMessage,
    Change,
    Emotion,
    FaceMessage,
    HealthMessage,
    Message,
    RecordingMessage,
)
from edge.bus.pubsub import Publisher
from edge.bus.sockets import bind, make_socket
from edge.config import Config
from tests.support.harness import listening, wait_for
from tests.support.messages import EXAMPLES
from tests.support.web import (
    Browser,
    Packet,
    face_of,
    frame,
    next_packet,
    now,
    origin,
    request,
    seq_of,
    serving,
    until,
    watch,
    with_web,
)


@pytest.fixture
def page(with_hub: Config) -> Iterator[Browser]:
    with serving(with_web(with_hub)) as browser:
        yield browser


@contextlib.contextmanager
def filming(config: Config) -> Iterator[FramePublisher]:
    frames = FramePublisher(config.endpoint("frames"))
    try:
        yield frames
    finally:
        frames.close()


def emotion(label: str = "happy", **fields: object) -> Message:
    known = {"emotion": label, "confidence": 0.9, "scores": {label: 0.9}, "face_age_s": 0.1}
    return now(Emotion, **{**known, **fields})


def health(state: str = "ok", **fields: object) -> Message:
    return now(HealthMessage, **{**EXAMPLES["health"], "state": state, **fields})


def idle() -> Message:
    return now(RecordingMessage, phase="idle")


async def film(bus: Publisher, frames: FramePublisher, faces_late_by: int, stop: asyncio.Event):
    """A camera and a face process: faces of a frame come some frames later."""
    number = 0
    while not stop.is_set():
        number += 1
        frames.publish(frame(number))
        if number > faces_late_by:
            bus.publish("face", face_of(number - faces_late_by))
        await asyncio.sleep(0.02)


def packets_of(page: Browser, bus: Publisher, count: int, faces_late_by: int) -> list[Packet]:
    """Packets with a picture, while a film runs."""

    async def look(live: Any) -> list[Packet]:
        stop = asyncio.Event()
        with filming(page.config) as frames:
            camera = asyncio.create_task(film(bus, frames, faces_late_by, stop))
            seen = [await until(live, lambda packet: bool(packet.jpeg)) for _ in range(count)]
            stop.set()
            await camera
        return seen

    return watch(page.config, look)


@pytest.mark.parametrize("faces_late_by", [0, 1, 3])
def test_box_and_picture_are_of_the_same_frame(
    page: Browser, bus: Publisher, faces_late_by: int
) -> None:
    bus.publish("face", face_of(0))
    with_faces = 0
    for packet in packets_of(page, bus, 8, faces_late_by):
        assert seq_of(packet.jpeg) == packet.frame_seq
        if face := packet.values.get("face"):
            assert face["frame_seq"] == packet.frame_seq == face["faces"][0]["box"][0]
            with_faces += 1
    assert with_faces >= 6


def test_without_a_face_process_pictures_come_all_the_same(page: Browser, bus: Publisher) -> None:
    for packet in packets_of(page, bus, 2, faces_late_by=sys.maxsize):
        assert seq_of(packet.jpeg) == packet.frame_seq and packet.values.get("face") is None


def pictures_made(page: Browser) -> int:
    found = re.search(r"(?m)^emotion_edge_web_pictures_total (\d+)", page.get("/metrics").text)
    assert found
    return int(found[1])


def test_without_a_viewer_no_frame_is_fetched_and_none_encoded(
    page: Browser, bus: Publisher
) -> None:
    with filming(page.config) as frames:
        for number in range(30):
            frames.publish(frame(number))
            bus.publish("face", face_of(number))
            time.sleep(0.02)
    assert pictures_made(page) == 0
    packets_of(page, bus, 2, 0)
    wait_for(lambda: "web_viewers 0" in page.get("/metrics").text, "the viewer is gone")
    made = pictures_made(page)
    assert made >= 2
    time.sleep(0.5)
    assert pictures_made(page) == made


def test_a_browser_that_does_not_answer_gets_nothing_more(page: Browser, bus: Publisher) -> None:
    async def look(live: Any) -> None:
        await next_packet(live, answer=False)
        bus.publish("emotion", emotion("sad"))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(live.read_message(), 1.5)

    watch(page.config, look)


def test_the_fused_emotion_and_a_voice_reach_the_page(page: Browser, bus: Publisher) -> None:
    async def look(live: Any) -> tuple[Packet, Packet]:
        bus.publish("health.fusion", health())
        bus.publish("emotion", emotion("sad"))
        fused = await until(live, lambda packet: packet.values.get("label") == "sad")
        bus.publish("audio", now(AudioMessage, **EXAMPLES["audio"]))
        voice = await until(live, lambda packet: packet.values.get("audio") is not None)
        return fused, voice

    fused, voice = watch(page.config, look)
    assert fused.values["emotion"]["scores"] == {"sad": 0.9}
    assert voice.values["audio"]["emotion"] == "calm"


def test_a_voice_is_as_old_as_it_is_when_somebody_looks(page: Browser, bus: Publisher) -> None:
    """Also where it was published long before the page was opened, or is replayed by the hub."""

    def spoken(ago_s: float) -> AudioMessage:
        t_ns = time.monotonic_ns() - round(ago_s * 1e9)
        return AudioMessage(t_ns=t_ns, time=time.time() - ago_s, **EXAMPLES["audio"])

    async def look(live: Any) -> tuple[Packet, Packet, Packet]:
        first = await next_packet(live)
        bus.publish("audio", spoken(20.0))
        young = await until(live, lambda packet: bool(packet.values.get("audio")))
        bus.publish("audio", spoken(300.0))
        old = await until(live, lambda packet: (packet.values.get("voice_age_s") or 0) >= 300)
        return first, young, old

    first, young, old = watch(page.config, look)
    assert first.values["audio"] is None and first.values["voice_age_s"] is None
    assert 20 <= young.values["voice_age_s"] < 30
    assert old.values["audio"] is None


def test_nobody_is_no_emotion(page: Browser, bus: Publisher) -> None:
    async def look(live: Any) -> None:
        bus.publish("health.fusion", health())
        bus.publish("emotion", emotion("uncertain", face_age_s=None))
        await until(live, lambda packet: packet.values.get("label") == "nobody")

    watch(page.config, look)


def test_what_is_degraded_is_told_with_its_reason(page: Browser, bus: Publisher) -> None:
    def is_told(packet: Packet) -> bool:
        return any("no camera found" in p["text"] for p in packet.values.get("problems", []))

    async def look(live: Any) -> None:
        bus.publish("health.camera", health("degraded", detail="no camera found: plug one in"))
        await until(live, is_told)

    watch(page.config, look)


def test_a_service_that_falls_silent_is_named_within_3_s_and_comes_back(
    page: Browser, bus: Publisher
) -> None:
    def names(packet: Packet) -> set[str]:
        return {p["service"] for p in packet.values.get("problems", [])}

    async def beat(silent: set[str]) -> None:
        while True:
            for name in set(SERVICES) - silent:
                bus.publish(f"health.{name}", health())
            await asyncio.sleep(0.5)

    async def look(live: Any) -> float:
        silent: set[str] = set()
        beating = asyncio.create_task(beat(silent))
        await until(live, lambda packet: "problems" in packet.values and not names(packet))
        silent.add("face")
        before_s = time.monotonic()
        await until(live, lambda packet: names(packet) == {"face"})
        took_s = time.monotonic() - before_s
        silent.clear()
        await until(live, lambda packet: "problems" in packet.values and not names(packet))
        beating.cancel()
        return took_s

    assert watch(page.config, look) < 3.5  # 3 s, and the slack of a busy machine


def test_every_page_says_that_results_are_kept(page: Browser, bus: Publisher) -> None:
    def says(path: str) -> bool:
        found = re.search(r'id="keeping"( hidden)?>recording data<', page.get(path).text)
        assert found, path
        return found[1] is None

    def says_while_kept(path: str) -> bool:
        bus.publish("health.recorder", health(recording_data=True))
        return says(path)

    paths = ("/", "/history", "/health", "/settings")
    assert not any(map(says, paths))
    for path in paths:
        wait_for(partial(says_while_kept, path), f"{path} says so")


def test_viewers_are_counted_and_their_number_is_published(page: Browser) -> None:
    def has(count: int) -> Any:
        return lambda _, message: isinstance(message, HealthMessage) and message.viewers == count

    async def look(live: Any) -> None:
        await until(live, lambda packet: packet.values.get("viewers") == 1)
        await asyncio.to_thread(listener.until, has(1))

    with listening(page.config.endpoint("out"), "health.web") as listener:
        watch(page.config, look)
        listener.until(has(0))


def test_the_record_button_presses_and_only_when_nothing_is_recorded(
    page: Browser, bus: Publisher
) -> None:
    with listening(page.config.endpoint("out"), "press") as presses:
        token = page.token
        headers = {"X_XSRFToken": token, "Origin": origin(page.config), "Cookie": page.cookie}
        assert request(page.config, "/record", "POST", "", **headers).status == 409

        def recorded() -> bool:
            bus.publish("recording", idle())
            return request(page.config, "/record", "POST", "", **headers).status == 204

        wait_for(recorded, "a press is taken")
        assert presses.topic("press").trigger == "command"  # type: ignore[attr-defined]
        assert request(page.config, "/record", "POST", "", **headers).status == 409


def test_the_last_hour_is_in_memory(page: Browser, bus: Publisher) -> None:
    def known() -> History:
        return page.get("/history.json?points=600").json()

    def publish() -> bool:
        bus.publish("emotion", emotion("happy"))
        bus.publish("face", face_of(1))
        return any(known()["emotion"]["happy"]) and any(known()["faces"])

    wait_for(publish, "it is remembered")
    bus.publish("audio", now(AudioMessage, **EXAMPLES["audio"]))
    bus.publish("change", now(Change, **EXAMPLES["change"]))
    wait_for(lambda: bool(known()["voice"] and known()["changes"]), "events are remembered")
    history = known()
    assert history["step_s"] == 1 and len(history["t"]) in (600, 601)
    assert {s for s in history["emotion"]["happy"] if s} == {0.9}
    assert history["emotion"]["happy"][0] is None
    assert set(history["labels"]) == {"happy"} and 1.0 in history["labels"]["happy"]
    assert history["voice"][0][1:] == ["calm", 0.5] and history["changes"][0][2] == "happy"
    rows = list(csv.reader(io.StringIO(page.get("/history.csv?points=600").text)))
    assert rows[0][:4] == ["time", "utc", "angry", "disgust"]
    assert ["calm"] in [row[-3:-2] for row in rows[1:]]
    assert "happy" in [row[rows[0].index("label")] for row in rows[1:]]
    assert len(rows) >= 600


@pytest.mark.parametrize(
    "query",
    ["points=0", "points=2001", "since=x", "since=5&until=4", "since=-1", "until=1e300",
     "since=nan", "until=inf", "points=1e3"],
)  # fmt: skip
def test_a_span_that_is_none_is_a_bad_request(page: Browser, query: str) -> None:
    assert page.get(f"/history.json?{query}").status == 400
    assert page.get(f"/history.csv?{query}").status == 400


def test_a_day_is_asked_of_the_recorder_and_without_one_that_is_said(page: Browser) -> None:
    now_s = time.time()
    query = f"/history.json?since={now_s - 86_400}&until={now_s}&points=10"
    assert page.get(query).json()["error"] == "no recorder"
    recorder = make_socket(zmq.ROUTER)
    bind(recorder, page.config.endpoint("history"))
    asked: list[HistoryRequest] = []

    def answer() -> None:
        client, body = recorder.recv_multipart()
        asked.append(decode_request(body))
        recorder.send_multipart([client, encode(History(t=[now_s], step_s=8640.0))])

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        assert page.get(query).json()["t"] == [now_s]
    finally:
        thread.join()
        recorder.close()
    assert asked[0].points == 10 and asked[0].since == pytest.approx(now_s - 86_400)


def test_text_from_the_bus_stays_text(page: Browser, bus: Publisher) -> None:
    evil = "<script>alert(1)</script>"
    bus.publish("health.camera", health("degraded", detail=evil))
    bus.publish("health.fusion", health())
    bus.publish("emotion", emotion(evil))
    wait_for(lambda: "alert(1)" in page.get("/health").text, "it is shown")
    for path in ("/health", "/"):
        text = page.get(path).text
        assert evil not in text and "&lt;script&gt;" in text


def test_without_javascript_there_is_a_page_with_the_state(page: Browser, bus: Publisher) -> None:
    def is_there() -> bool:
        bus.publish("health.fusion", health())
        bus.publish("emotion", emotion("surprise"))
        bus.publish("face", face_of(1))
        found = re.search(r"(?s)<noscript>.<section.*?</noscript>", page.get("/").text)
        return bool(found and "surprise" in found[0] and "Faces: 1" in found[0])

    wait_for(is_there, "the state is in the page")


def test_every_file_that_a_page_names_is_served_by_the_device(page: Browser) -> None:
    for path in ("/", "/history", "/health", "/settings", "/login"):
        text = page.get(path).text
        assert "http://" not in text.replace(origin(page.config), "") and "https://" not in text
        for file in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
            answer = page.get(file)
            assert answer.status == 200, file
            assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", answer.body), file


def test_settings_are_shown_with_their_source_and_secrets_are_not(
    with_hub: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[mqtt]\nbroker = "mqtt://broker"\npassword_file = "/hush"\n')
    monkeypatch.setenv("EMOTION_EDGE_CONFIG", str(file))
    mqtt = msgspec.structs.replace(with_hub.mqtt, broker="mqtt://broker", password_file="/hush")
    config = msgspec.structs.replace(with_web(with_hub), mqtt=mqtt)
    with serving(config) as page:
        text = page.get("/settings").text
    rows = [re.sub(r"<[^>]+>", " ", row).split() for row in text.split("<tr")]
    assert ["broker", "mqtt://broker", f"{file}:2"] in [row[-3:] for row in rows]
    assert ["rate_hz", "30.0", "default"] in [row[-3:] for row in rows]
    assert ["bind", config.web.bind, "command", "line"] in [row[-4:] for row in rows]
    assert "hush" not in text and "••••••" in text


def test_findings_of_the_doctor_come_with_fixes(page: Browser) -> None:
    text = page.get("/findings").text
    assert "voice model" in text and "camera" not in text.partition("<main")[2]


def test_twenty_faces_are_shown(page: Browser, bus: Publisher) -> None:
    many = face_of(7, faces=[EXAMPLES["face"]["faces"][0]] * 20)
    assert isinstance(many, FaceMessage)

    async def look(live: Any) -> None:
        bus.publish("face", many)
        packet = await until(live, lambda packet: bool(packet.values.get("face")))
        assert len(packet.values["face"]["faces"]) == 20

    watch(page.config, look)


def test_the_words_of_the_page_are_those_of_the_settings(with_hub: Config) -> None:
    display = msgspec.structs.replace(with_hub.display, language="de")
    with serving(msgspec.structs.replace(with_web(with_hub), display=display)) as page:
        text = page.get("/").text
    words = json.loads(re.findall(r'(?s)id="words">(.*?)</script>', text)[0])
    assert '<html lang="de">' in text and words["emotion.happy"] == "Freude"
