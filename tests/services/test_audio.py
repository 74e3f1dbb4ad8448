"""The audio process on a real bus, with a sound file or a broken thing as microphone."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from gpiozero.pins.mock import MockFactory

from edge.bus.messages import (
    VOICE_LABELS,
    HealthMessage,
    Message,
    RecordingMessage,
)
from edge.bus.pubsub import unpack
from edge.commands.record import record
from edge.config import ButtonConfig, Config
from edge.devices.microphone.portaudio import Microphone, MicrophoneError, Stream
from edge.pipeline.voice import VoiceAnalyzer
from edge.runtime.loop import Loop
from edge.services import audio
from edge.types import Signal
from tests.support.audio import (
    LED_PIN,
    PIN,
    RATE_HZ,
    SHORT_S,
    health,
    phase,
    press,
    result,
    service,
    silence,
    with_audio,
)
from tests.support.harness import (
    DATA,
    PATIENCE_S,
    Listener,
    emotion_edge,
    write_config,
)

CLIP = DATA / "ravdess_16k" / "Actor_01" / "03-01-05-02-01-01-01.flac"


@pytest.fixture(scope="module")
def analyzer() -> VoiceAnalyzer:
    return VoiceAnalyzer.from_config(Config().audio, 1)


class OnlyMicrophone:
    """A microphone and its own stream: what it gives is what `reads` does."""

    about = "a microphone for tests"
    rate_hz = RATE_HZ

    def __init__(self, read: Callable[[int], Signal]) -> None:
        self.read = read
        self.opened = self.closed = 0

    def open(self) -> Stream:
        self.opened += 1
        return self

    def close(self) -> None:
        self.closed += 1


def serving(microphone: Microphone, analyzer: VoiceAnalyzer) -> Callable[[Config, Loop], None]:
    return partial(audio.serve, microphone=microphone, analyzer=analyzer)


# From a press to a message


@pytest.mark.data
def test_a_press_with_speech_gives_an_emotion(with_hub: Config) -> None:
    with service(with_audio(with_hub, source=str(CLIP))) as (listener, publisher):
        press(publisher, "command")
        received = result(listener)
        assert received.trigger == "command"
        assert received.duration_s == 2.0
        assert received.speech
        assert received.scores is not None
        assert set(received.scores) == set(VOICE_LABELS)
        assert sum(received.scores.values()) == pytest.approx(1, abs=0.001)
        assert received.emotion in (*VOICE_LABELS, "uncertain")
        assert received.confidence == max(received.scores.values())
        assert -80 < received.level_dbfs < 0


@pytest.mark.data
def test_a_score_below_the_threshold_is_uncertain(with_hub: Config) -> None:
    with service(with_audio(with_hub, source=str(CLIP), threshold=1.0)) as (listener, publisher):
        press(publisher)
        assert result(listener).emotion == "uncertain"


def test_silence_gives_no_emotion(quick: Config) -> None:
    with service(quick) as (listener, publisher):
        press(publisher)
        received = result(listener)
        assert not received.speech
        assert (received.emotion, received.confidence, received.scores) == (None, None, None)
        assert received.level_dbfs == -120
        assert received.duration_s == SHORT_S


def everything(listener: Listener, until: str) -> Iterator[Message]:
    """Every message up to a phase: a subscriber skips states, so past it."""
    socket = listener.subscriber.socket
    while socket.poll(PATIENCE_S * 1e3):
        _, message = unpack(socket.recv_multipart())
        yield message
        if phase(until)("", message):
            return
    pytest.fail(f"never {until}")


def test_recording_is_said_ten_times_a_second_then_analysing_then_idle(quick: Config) -> None:
    with service(quick) as (listener, publisher):
        press(publisher)
        said = [*everything(listener, "analysing"), *everything(listener, "idle")]
    recordings = [message for message in said if isinstance(message, RecordingMessage)]
    recordings = recordings[[message.phase for message in recordings].index("recording") :]
    assert [(message.phase, message.elapsed_s, message.level_dbfs) for message in recordings] == [
        ("recording", 0.0, None),
        ("recording", 0.1, -120.0),
        ("recording", 0.2, -120.0),
        ("recording", 0.3, -120.0),
        ("recording", 0.4, -120.0),
        ("analysing", 0.5, None),
        ("idle", 0.0, None),
    ]


# From the first word


def phases(listener: Listener) -> list[tuple[str, float]]:
    """(phase, elapsed s) from the press to the next idle."""
    said = [*everything(listener, "waiting"), *everything(listener, "idle")]
    found = [(m.phase, m.elapsed_s) for m in said if isinstance(m, RecordingMessage)]
    return found[[phase for phase, _ in found].index("waiting") :]


def test_a_press_waits_for_a_word_and_then_records_whoever_hesitates(quick: Config) -> None:
    with service(with_audio(quick, wait_s=0.5)) as (listener, publisher):
        press(publisher)
        assert phases(listener) == [
            ("waiting", 0.0),
            ("waiting", 0.1),
            ("waiting", 0.2),
            ("waiting", 0.3),
            ("waiting", 0.4),
            ("recording", 0.3),
            ("recording", 0.4),
            ("analysing", 0.5),
            ("idle", 0.0),
        ]


@pytest.mark.data
def test_a_recording_begins_shortly_before_the_first_word(with_hub: Config) -> None:
    """The words of this clip begin after 1.0 s."""
    with service(with_audio(with_hub, source=str(CLIP))) as (listener, publisher):
        press(publisher)
        found = phases(listener)
        waited_s = max(elapsed_s for phase, elapsed_s in found if phase == "waiting")
        begun_s = min(elapsed_s for phase, elapsed_s in found if phase == "recording")
        assert 1.0 <= waited_s < 2.0
        assert begun_s == 0.5
        assert found[-2] == ("analysing", 2.0)


def test_the_led_is_on_while_it_waits(quick: Config, pins: MockFactory) -> None:
    config = with_audio(quick, wait_s=0.5, button=ButtonConfig(pin=PIN, led_pin=LED_PIN))
    with service(config) as (listener, publisher):
        led = pins.pin(LED_PIN)
        led.clear_states()
        press(publisher)
        listener.until(phase("waiting"))
        assert led.state
        listener.until(phase("idle"))
        led.assert_states([False, True, False])


def test_a_press_while_waiting_is_ignored_and_counted(quick: Config) -> None:
    with service(with_audio(quick, wait_s=0.5)) as (listener, publisher):
        press(publisher)
        listener.until(phase("waiting"))
        press(publisher)
        result(listener)
        listener.until(
            lambda _, message: isinstance(message, HealthMessage) and message.dropped == 1
        )


def test_record_tells_when_to_speak(quick: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config = with_audio(quick, wait_s=0.5)
    with service(config):
        assert record(config, None) == 0
    assert capsys.readouterr().out.splitlines() == [
        "waiting: speak now",
        "recording",
        "nobody spoke (-120 dBFS)",
    ]


def test_a_press_while_recording_is_ignored_and_counted(quick: Config) -> None:
    with service(quick) as (listener, publisher):
        press(publisher)
        listener.until(phase("recording"))
        press(publisher)
        press(publisher)
        result(listener)
        listener.until(
            lambda _, message: isinstance(message, HealthMessage) and message.dropped == 2
        )
        assert [topic for topic, _ in listener.received].count("audio") == 1


def test_the_next_press_after_a_recording_makes_another(quick: Config) -> None:
    with service(quick) as (listener, publisher):
        for _ in range(2):
            press(publisher)
            result(listener)
            listener.until(phase("idle"))


# Button and LED


def test_a_bouncing_button_makes_one_recording(quick: Config, pins: MockFactory) -> None:
    with service(quick) as (listener, _):
        button = pins.pin(PIN)
        for _ in range(5):
            button.drive_low()
            button.drive_high()
        assert result(listener).trigger == "button"
        listener.until(
            lambda _, message: isinstance(message, HealthMessage) and message.dropped == 4
        )
        assert [topic for topic, _ in listener.received].count("audio") == 1


def test_the_led_is_on_exactly_while_recording(quick: Config, pins: MockFactory) -> None:
    config = with_audio(quick, button=ButtonConfig(pin=PIN, led_pin=LED_PIN))
    with service(config) as (listener, publisher):
        led = pins.pin(LED_PIN)
        led.clear_states()
        press(publisher)
        listener.until(phase("recording"))
        assert led.state
        listener.until(phase("idle"))
        led.assert_states([False, True, False])
        assert len(led.states) == 3
        assert led.states[2].timestamp > SHORT_S - 0.05


def test_the_led_goes_off_when_the_service_stops_in_the_middle(
    with_hub: Config, directory: Path, pins: MockFactory
) -> None:
    source = str(silence(directory / "silence.wav"))
    config = with_audio(with_hub, source=source, button=ButtonConfig(pin=PIN, led_pin=LED_PIN))
    with service(config) as (listener, publisher):
        led = pins.pin(LED_PIN)
        press(publisher)
        listener.until(phase("waiting"))
        assert led.state
    assert not led.state


# Microphones that fail


def test_a_microphone_that_is_missing_is_said_at_once_and_tried_again_at_a_press(
    with_hub: Config, analyzer: VoiceAnalyzer
) -> None:
    class Missing(OnlyMicrophone):
        def open(self) -> Stream:
            if not present.is_set():
                raise MicrophoneError("no microphone found; plug one in")
            return super().open()

    present = threading.Event()
    microphone = Missing(lambda samples: np.zeros(samples, np.float32))
    with service(with_hub, serving(microphone, analyzer)) as (listener, publisher):
        said = listener.until(health("degraded"))
        assert isinstance(said, HealthMessage)
        assert said.detail == "no microphone found; plug one in"
        press(publisher)
        listener.until(phase("idle"))
        present.set()
        press(publisher)
        result(listener)
        listener.until(health("ok"))


def test_a_microphone_lost_in_the_middle_ends_the_recording(
    with_hub: Config, analyzer: VoiceAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(audio.TIMEOUT_S, "waiting", PATIENCE_S)  # a busy machine is no lost one
    lost = threading.Event()

    def read(_: int) -> Signal:
        lost.wait(60)
        raise MicrophoneError("it is lost; plug it in again")

    microphone = OnlyMicrophone(read)
    with service(with_hub, serving(microphone, analyzer)) as (listener, publisher):
        press(publisher)
        listener.until(phase("waiting"))
        lost.set()
        listener.until(phase("idle"))
        said = listener.until(health("degraded"))
        assert isinstance(said, HealthMessage)
        assert said.detail == "it is lost; plug it in again"
    assert microphone.opened == microphone.closed


def test_a_microphone_that_stalls_is_abandoned_and_the_next_press_tries_again(
    with_hub: Config, analyzer: VoiceAnalyzer
) -> None:
    goes_on = threading.Event()

    def read(samples: int) -> Signal:
        assert goes_on.wait(60)
        return np.zeros(samples, np.float32)

    microphone = OnlyMicrophone(read)
    with service(with_hub, serving(microphone, analyzer)) as (listener, publisher):
        press(publisher)
        listener.until(phase("waiting"))
        started_s = time.monotonic()
        said = listener.until(health("degraded"))
        assert isinstance(said, HealthMessage)
        assert "does not answer" in said.detail
        assert time.monotonic() - started_s > 0.9
        goes_on.set()
        press(publisher)
        result(listener)
        listener.until(health("ok"))


def test_a_microphone_that_hangs_for_good_ends_the_process_to_have_it_started_again(
    with_hub: Config, analyzer: VoiceAnalyzer
) -> None:
    ended = threading.Event()

    def read(samples: int) -> Signal:
        ended.wait(60)
        return np.zeros(samples, np.float32)

    def run(config: Config, loop: Loop) -> None:
        try:
            with pytest.raises(RuntimeError, match="does not answer"):
                serving(OnlyMicrophone(read), analyzer)(config, loop)
        finally:
            ended.set()

    with service(with_hub, run) as (_, publisher):
        pressed = 0
        while not ended.wait(1) and pressed < 30:  # more than one are ignored meanwhile
            press(publisher)
            pressed += 1
        assert ended.is_set()


def test_the_microphone_is_open_only_while_recording(
    with_hub: Config, analyzer: VoiceAnalyzer
) -> None:
    microphone = OnlyMicrophone(lambda samples: np.zeros(samples, np.float32))
    with service(with_hub, serving(microphone, analyzer)) as (listener, publisher):
        assert microphone.opened == microphone.closed == 1  # the check at the start
        press(publisher)
        result(listener)
        press(publisher)
        result(listener)
    assert microphone.opened == microphone.closed == 3


# The process


def test_a_sound_file_that_is_missing_ends_the_process_with_one_line_and_78(
    config: Config, directory: Path
) -> None:
    missing = with_audio(config, source="missing.wav")
    process = emotion_edge("audio", "--config", write_config(missing, directory / "c.json"))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 78
    line = "emotion-edge audio: audio.source: missing.wav: no such sound file; check the path"
    assert errors.strip() == line
