"""The audio process: a press becomes a recording, and a recording one `audio` message.

A press comes over the bus or from the button. While one recording is made and analysed, further
presses are ignored and counted. In `audio`, `t_ns` and `time` are those of the recording's end, so
that `age_ms` is how long the analysis took. No sound is kept or sent. How a microphone is opened,
and what the network is, other rooms know.
"""

import logging
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.bus.messages import AudioMessage, LabelScores, Press, RecordingMessage, Trigger
from edge.bus.pubsub import Publisher, Subscriber
from edge.config import AudioConfig, Config
from edge.devices.microphone.portaudio import Microphone, make_microphone
from edge.devices.microphone.recorder import Recorder, Recording, Sound
from edge.devices.microphone.sound_file import resample
from edge.inference.speech_activity import SpeechActivity
from edge.inference.speech_emotion import SpeechEmotion
from edge.inference.speech_features import level_dbfs
from edge.policy.decision import decide, rounded
from edge.runtime.loop import Loop, Timer
from edge.services.button import ButtonController
from edge.services.health import Health
from edge.types import Signal

log = logging.getLogger(__name__)

SPEECH_RATE_HZ = 16_000
READ_TIMEOUT_S = 1.0
"""A microphone that gives no sample for so long, not even of silence, has failed."""
OPEN_S = 5.0
"""Opening it may take longer: PortAudio looks at every device, a sound server wakes it up."""
IDLE_S = 1.0
"""`recording` is said this often while idle, for those who came later."""
GIVE_UP_S = 2.0
"""A driver that hangs for this much longer is beyond mending from within the process."""
NO_ANSWER = "the microphone does not answer; unplug it and plug it in, or set audio.source"

Phase = Literal["idle", "recording", "analysing"]


class VoiceScores:
    """The mean of the last recordings' scores: pure, it knows what it is told."""

    def __init__(self, window: int, window_s: float) -> None:
        """At most `window` recordings, none older than `window_s`."""
        self._window_s = window_s
        self._recent: deque[tuple[float, NDArray[np.float32]]] = deque(maxlen=window)

    def add(self, scores: NDArray[np.float32], now_s: float) -> NDArray[np.float32]:
        """Takes a recording's scores (n labels,) at `now_s`; gives the mean, (n labels,)."""
        self._recent.append((now_s, scores))
        while now_s - self._recent[0][0] > self._window_s:
            self._recent.popleft()
        return np.asarray(np.mean([scores for _, scores in self._recent], axis=0))


class AudioService:
    """Turns presses into `recording` and `audio` messages."""

    def __init__(
        self,
        settings: AudioConfig,
        directory: Path,
        loop: Loop,
        publisher: Publisher,
        health: Health,
        recorder: Recorder,
        activity: SpeechActivity,
        classifier: SpeechEmotion,
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._publisher = publisher
        self._health = health
        self._recorder = recorder
        self._activity = activity
        self._classifier = classifier
        self._button = ButtonController(settings.button, directory, loop, health, self.press)
        self._voice = VoiceScores(settings.window, settings.window_s)
        self._take: Recording | None = None
        self._trigger: Trigger = "command"
        self._patience: Timer | None = None
        loop.call_every(IDLE_S, self._say_idle)

    def start(self) -> None:
        """Find out whether there are a button and a microphone; be ready either way."""
        self._button.open()
        # The first ones are slow.
        self._activity.score(np.zeros(SPEECH_RATE_HZ, np.float32))
        self._classifier.classify(np.zeros(SPEECH_RATE_HZ, np.float32))
        patience = self._loop.call_later(OPEN_S, partial(self._ready, NO_ANSWER))
        self._recorder.check(partial(self._checked, patience))

    def _checked(self, patience: Timer, problem: str) -> None:
        patience.cancel()
        self._ready(problem)

    def _ready(self, problem: str) -> None:
        if problem:
            self._health.set_problem("microphone", problem)
        else:
            self._health.clear_problem("microphone")
        self._say_what_is_used()
        self._health.ready()

    def _say_what_is_used(self) -> None:
        self._health.about = f"{self._recorder.about}; {self._button.about}"

    def receive(self, presses: Subscriber) -> None:
        """ButtonController from the bus."""
        for _, message in presses.receive():
            if isinstance(message, Press):
                self.press(message.trigger)

    def press(self, trigger: Trigger) -> None:
        """Start a recording, unless one is being made or analysed."""
        if self._take is not None:
            self._health.dropped += 1
            return
        self._trigger = trigger
        self._take = Recording(self._settings.duration_s)
        self._expect(OPEN_S, self._take)
        self._recorder.record(self._take, self._heard, self._failed)

    def _expect(self, within_s: float, take: Recording) -> None:
        """The next sound has to come within this time."""
        self._wait_no_more()
        self._patience = self._loop.call_later(within_s, partial(self._hangs, take))

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()

    def _heard(self, take: Recording, sound: Sound) -> None:
        if take is not self._take:
            return
        take.add(sound)
        self._expect(READ_TIMEOUT_S, take)
        if take.complete:
            self._finish(take)
            return
        self._button.set_led(True)
        self._say_recording(take, sound)

    def _say_recording(self, take: Recording, sound: Sound) -> None:
        level = level_dbfs(sound.samples) if sound.samples.size else None
        self._say("recording", take.end_ns, take.elapsed_s, level)

    def _finish(self, take: Recording) -> None:
        self._wait_no_more()
        self._button.set_led(False)
        self._health.clear_problem("microphone")
        self._say_what_is_used()
        self._say("analysing", take.end_ns, take.elapsed_s)
        self._publisher.publish("audio", self._analyse(take))
        self._health.count()
        # Not at once: the presses that came during the analysis are read, and ignored, first.
        self._loop.call_later(0, self._rest)

    def _failed(self, take: Recording, why: str) -> None:
        if take is not self._take:
            return
        take.over = True
        self._wait_no_more()
        self._button.set_led(False)
        log.info("no recording: %s", why)
        self._health.set_problem("microphone", why)
        self._rest()

    def _hangs(self, take: Recording) -> None:
        self._failed(take, NO_ANSWER)
        self._loop.call_later(GIVE_UP_S, partial(self._give_up, take))

    def _give_up(self, take: Recording) -> None:
        """A new process can open the microphone again; this one's thread is lost in the driver."""
        if self._recorder.hangs_at(take):
            raise RuntimeError(NO_ANSWER)

    def _rest(self) -> None:
        self._take = None
        self._say_idle()

    def _say_idle(self) -> None:
        if self._recorder.blocked_s() <= OPEN_S:
            self._health.feed_watchdog()
        if self._take is None:
            self._say_what_is_used()
            self._say("idle", time.monotonic_ns())

    def close(self) -> None:
        """Leave off recording; the LED goes out."""
        if self._take is not None:
            self._take.over = True
        self._button.close()
        self._recorder.close()

    def _analyse(self, take: Recording) -> AudioMessage:
        started_ns = time.monotonic_ns()
        signal = resample(take.signal(), take.rate_hz, SPEECH_RATE_HZ)
        speech = self._activity.is_speech(signal)
        scores = self._scores(signal, take.end_ns / 1e9) if speech else None
        decision = decide(scores, self._settings.threshold) if scores else None
        return AudioMessage(
            t_ns=take.end_ns,
            time=unix_time(take.end_ns),
            trigger=self._trigger,
            duration_s=round(take.elapsed_s, 3),
            speech=speech,
            emotion=decision and decision[0],
            confidence=decision and decision[1],
            scores=scores,
            level_dbfs=round(level_dbfs(signal), 1),
            inference_ms=round((time.monotonic_ns() - started_ns) / 1e6, 2),
        )

    def _scores(self, signal: Signal, now_s: float) -> LabelScores:
        """{label: score} of this and the last recordings."""
        scores = self._voice.add(self._classifier.classify(signal), now_s)
        return rounded(dict(zip(self._classifier.labels, scores.tolist(), strict=True)))

    def _say(
        self, phase: Phase, t_ns: int, elapsed_s: float = 0.0, level: float | None = None
    ) -> None:
        message = RecordingMessage(
            t_ns=t_ns,
            time=unix_time(t_ns),
            phase=phase,
            elapsed_s=round(elapsed_s, 3),
            level_dbfs=None if level is None else round(level, 1),
        )
        self._publisher.publish("recording", message)


def unix_time(t_ns: int) -> float:
    """The wall clock, s, at `t_ns` of CLOCK_MONOTONIC."""
    return time.time() - (time.monotonic_ns() - t_ns) / 1e9


def run(config: Config, loop: Loop) -> None:
    """Serve until the loop stops. Raises ModelError, SoundError."""
    microphone = make_microphone(config.audio.source)
    activity = SpeechActivity(Path(config.audio.activity_model), config.threads)
    classifier = SpeechEmotion(Path(config.audio.model), config.threads)
    serve(config, loop, microphone, activity, classifier)


def serve(
    config: Config,
    loop: Loop,
    microphone: Microphone,
    activity: SpeechActivity,
    classifier: SpeechEmotion,
) -> None:
    """Put the service together and let it work until the loop stops."""
    publisher = Publisher(config.endpoint("in"), config.device_name)
    presses = Subscriber(config.endpoint("out"), ["press"])
    health = Health(publisher, "audio", loop)
    recorder = Recorder(microphone, loop.call_soon_threadsafe)
    service = AudioService(
        config.audio,
        config.directory,
        loop,
        publisher,
        health,
        recorder,
        activity,
        classifier,
    )
    loop.add_reader(presses.socket, lambda: service.receive(presses))
    try:
        service.start()
        loop.run()
    finally:
        service.close()
        presses.close()
        publisher.close()
