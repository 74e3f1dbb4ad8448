"""The audio process with a real PyAudio stream: the monitor of a null sink is its microphone."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from edge.bus.messages import AudioMessage, HealthMessage, Message, Press, RecordingMessage
from edge.bus.pubsub import Publisher
from edge.config import Config
from tests.support.harness import (
    DATA,
    PATIENCE_S,
    Listener,
    emotion_edge,
    listening,
    publishing,
    write_config,
)
from tests.support.null_sink import NullSink, missing, null_sink

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

CLIP = DATA / "ravdess_16k" / "Actor_01" / "03-01-05-02-01-01-01.flac"
TEXT = "Kids are talking by the door. Dogs are sitting by the door."
WHOLE_S = 20.0


@pytest.fixture
def sink() -> Iterator[NullSink]:
    with null_sink() as sink:
        yield sink


@pytest.fixture
def speech(directory: Path) -> Path:
    """Somebody speaks without end: a recorded voice where there is one, else a synthetic one."""
    spoken = directory / "spoken.wav"
    if CLIP.exists():
        signal, rate_hz = soundfile.read(CLIP, dtype="float32")
    elif shutil.which("espeak-ng"):
        subprocess.run(["espeak-ng", "-w", str(spoken), TEXT], check=True)
        signal, rate_hz = soundfile.read(spoken, dtype="float32")
    else:
        pytest.skip(f"no voice: neither {CLIP} nor espeak-ng")
    voice = np.flatnonzero(np.abs(signal) > 0.1 * np.abs(signal).max())
    signal = signal[voice[0] : voice[-1]]
    soundfile.write(spoken, np.resize(signal, round(WHOLE_S * rate_hz)), rate_hz)
    return spoken


class Bench(NamedTuple):
    sink: NullSink
    listener: Listener
    publisher: Publisher
    process: "subprocess.Popen[str]"

    def press(self) -> None:
        now_ns = time.monotonic_ns()
        self.publisher.publish("press", Press(t_ns=now_ns, time=time.time(), trigger="key"))

    def result(self) -> AudioMessage:
        message = self.listener.topic("audio")
        assert isinstance(message, AudioMessage)
        return message

    def phase(self, name: str) -> RecordingMessage:
        message = self.listener.until(
            lambda _, message: isinstance(message, RecordingMessage) and message.phase == name
        )
        assert isinstance(message, RecordingMessage)
        return message

    def health(self, state: str) -> HealthMessage:
        message = self.listener.until(
            lambda _, message: isinstance(message, HealthMessage) and message.state == state
        )
        assert isinstance(message, HealthMessage)
        return message


@pytest.fixture
def bench(sink: NullSink, with_hub: Config, directory: Path) -> Iterator[Bench]:
    """The process as systemd starts it, but for the sound server it is pointed at."""
    settings = write_config(with_hub, directory / "config.json")
    with (
        listening(with_hub.endpoint("out"), "recording", "audio", "health.audio") as listener,
        publishing(with_hub) as publisher,
        audio_process(settings, sink) as process,
    ):
        bench = Bench(sink, listener, publisher, process)
        bench.health("ok")
        yield bench


@contextlib.contextmanager
def audio_process(settings: Path, sink: NullSink) -> Iterator["subprocess.Popen[str]"]:
    process = emotion_edge("audio", "--config", settings, env=os.environ | sink.environment)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


def published_levels(listener: Listener) -> list[float]:
    """What `recording` said of the level so far, dBFS."""
    messages: list[Message] = [message for _, message in listener.received]
    return [
        m.level_dbfs
        for m in messages
        if isinstance(m, RecordingMessage) and m.level_dbfs is not None
    ]


def test_what_is_spoken_into_the_microphone_becomes_an_emotion(bench: Bench, speech: Path) -> None:
    with bench.sink.playing(speech):
        bench.press()
        received = bench.result()
    assert received.speech
    assert received.emotion is not None
    assert received.duration_s == 2.0
    assert received.level_dbfs > -60
    assert max(published_levels(bench.listener)) > -60


def test_a_quiet_room_gives_no_emotion(bench: Bench) -> None:
    bench.press()
    received = bench.result()
    assert not received.speech
    assert received.emotion is None
    assert received.level_dbfs == -120


def test_the_microphone_is_open_only_while_recording(bench: Bench) -> None:
    bench.sink.wait_for_listeners(0)
    bench.press()
    bench.phase("waiting")
    assert bench.sink.listeners() == 1
    bench.phase("idle")
    bench.sink.wait_for_listeners(0)


def test_an_unplugged_microphone_ends_the_recording_and_is_used_again_when_it_is_back(
    bench: Bench,
) -> None:
    bench.press()
    bench.phase("waiting")
    bench.sink.unplug()
    bench.phase("idle")
    assert "is lost" in bench.health("degraded").detail
    bench.sink.plug_in()
    bench.press()
    assert bench.result().duration_s == 2.0
    bench.health("ok")


def test_a_microphone_that_falls_silent_is_given_up_and_used_again_when_it_speaks(
    bench: Bench,
) -> None:
    bench.press()
    bench.phase("waiting")
    bench.sink.fall_silent()
    bench.health("degraded")
    bench.sink.speak_again()
    bench.press()
    assert bench.result().duration_s == 2.0
    bench.health("ok")


def test_nothing_of_the_sound_libraries_reaches_the_terminal(
    sink: NullSink, with_hub: Config, directory: Path
) -> None:
    settings = write_config(with_hub, directory / "config.json")
    process = emotion_edge("audio", "--config", settings, env=os.environ | sink.environment)
    with listening(with_hub.endpoint("out"), "health.audio") as listener:
        listener.topic("health.audio")
    process.terminate()
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert "ALSA" not in errors
    assert "jack" not in errors.lower()


def test_the_microphone_is_found_by_its_name(sink: NullSink) -> None:
    program = (
        "from edge.devices.microphone.portaudio import find_microphone; print(find_microphone())"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | sink.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "default\n"
