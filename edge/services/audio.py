"""The audio process: a press becomes a recording, and a recording one `audio` message.

Every press comes over the bus, the button's too. While one recording is made and analysed, further
presses are ignored and counted. A recording begins with the first word, or after `audio.wait_s`
(policy/first_word.py). In `audio`, `t_ns` and `time` are those of the recording's end, so that
`age_ms` is how long the analysis took. No sound is kept or sent.
"""

import logging
import time
from contextlib import closing
from functools import partial
from typing import Literal

from edge.bus.messages import AudioMessage, Press, RecordingMessage, Trigger
from edge.bus.pubsub import Publisher, Subscriber
from edge.config import AudioConfig, Config
from edge.devices.microphone import OFF
from edge.devices.microphone.portaudio import Microphone, make_microphone
from edge.devices.microphone.recorder import Recorder, Recording, Sound
from edge.inference.speech_features import level_dbfs
from edge.pipeline.voice import VoiceAnalyzer, level_of
from edge.policy import first_word
from edge.runtime.loop import Loop, Timer
from edge.services.button import ButtonController
from edge.services.health import Health, serve_off

log = logging.getLogger(__name__)

IDLE_PERIOD_S = 1.0
"""`recording` is published this often while idle, for those who came later."""
RESTART_S = 2.0
"""A driver that hangs for this much longer cannot be helped from within the process."""
NO_ANSWER = "the microphone does not answer; unplug it and plug it in, or set audio.source"
PROBLEM = "microphone"

State = Literal["idle", "opening", "waiting", "recording", "analysing"]
# Opening may take long: PortAudio looks at every device, and a sound server wakes it up.
TIMEOUT_S: dict[State, float] = {"opening": 5.0, "waiting": 1.0, "recording": 1.0}
"""A microphone that gives no sample for so long, not even of silence, has failed."""


class AudioService:
    """Turns presses into `recording` and `audio` messages."""

    def __init__(
        self,
        config: AudioConfig,
        loop: Loop,
        publisher: Publisher,
        presses: Subscriber,
        health: Health,
        recorder: Recorder,
        analyzer: VoiceAnalyzer,
        button: ButtonController,
    ) -> None:
        self._config = config
        self._loop = loop
        self._publisher = publisher
        self._presses = presses
        self._health = health
        self._recorder = recorder
        self._analyzer = analyzer
        self._button = button
        self._state: State = "idle"
        self._recording = Recording(config.duration_s)
        self._trigger: Trigger = "command"
        self._timeout: Timer | None = None

    def start(self) -> None:
        """Find out whether there are a button and a microphone; be ready either way."""
        self._button.open()
        self._analyzer.warm_up()
        timeout = self._loop.call_later(
            TIMEOUT_S["opening"], partial(self._on_checked, None, NO_ANSWER)
        )
        self._recorder.check(partial(self._on_checked, timeout))
        self._loop.call_every(IDLE_PERIOD_S, self.on_tick)

    def _on_checked(self, timeout: Timer | None, problem: str) -> None:
        """The microphone could be opened; or could not, for this reason."""
        if timeout is not None:
            timeout.cancel()
        if problem:
            self._health.set_problem(PROBLEM, problem)
        else:
            self._health.clear_problem(PROBLEM)
        self._describe()
        self._health.ready()

    def _describe(self) -> None:
        self._health.about = f"{self._recorder.about}; {self._button.about}"

    def on_press(self) -> None:
        """Start a recording, unless one is being made or analysed."""
        for _, message in self._presses.receive():
            if not isinstance(message, Press):
                continue
            if self._state != "idle":
                self._health.dropped += 1
                continue
            self._trigger = message.trigger
            self._enter("opening")
            self._recorder.record(self._recording, self._on_sound, self._on_failure)

    def _enter(self, state: State, level: float | None = None) -> None:
        """Change the state and all that hangs on it: the LED, the timeout and `recording`."""
        self._state = state
        self._button.set_led(state in ("waiting", "recording"))
        if self._timeout is not None:
            self._timeout.cancel()
        after_s = TIMEOUT_S.get(state)
        self._timeout = (
            None if after_s is None else self._loop.call_later(after_s, self._on_timeout)
        )
        self._publish_state(level)

    def _on_sound(self, recording: Recording, sound: Sound) -> None:
        if recording is not self._recording or recording.ended:
            return
        recording.add(sound)
        if not recording.begun:
            self._begin_with_speech()
        if recording.full and not self._moves_on():
            self._analyse()
        else:
            state: State = "recording" if recording.begun else "waiting"
            self._enter(state, level_of(sound.samples))

    def _begin_with_speech(self) -> None:
        recording, wait_s = self._recording, self._config.wait_s
        speech = self._analyzer.has_speech(recording.signal(), recording.rate_hz)
        lead_s = first_word.lead_s(recording.elapsed_s, speech, wait_s)
        if lead_s is not None:
            recording.begin(lead_s)

    def _moves_on(self) -> bool:
        oldest, newest = map(level_dbfs, self._recording.ends())
        return first_word.moves_on(oldest, newest, self._recording.moved_s, self._config.wait_s)

    def _analyse(self) -> None:
        self._recording.ended = True
        self._enter("analysing")
        self._health.clear_problem(PROBLEM)
        self._describe()
        self._publisher.publish("audio", self._result())
        self._health.count()
        # Not at once: the presses that came during the analysis are read, and ignored, first.
        self._loop.call_later(0, self._forget)

    def _forget(self) -> None:
        """Idle again, and without any sound."""
        self._recording = Recording(self._config.duration_s)
        self._enter("idle")

    def _result(self) -> AudioMessage:
        started_ns, recording = time.monotonic_ns(), self._recording
        result = self._analyzer.analyze(recording.signal(), recording.rate_hz)
        return AudioMessage(
            t_ns=recording.end_ns,
            time=unix_time(recording.end_ns),
            trigger=self._trigger,
            duration_s=round(recording.elapsed_s, 3),
            speech=result.speech,
            emotion=result.emotion,
            confidence=result.confidence,
            scores=result.scores,
            level_dbfs=result.level_dbfs,
            inference_ms=round((time.monotonic_ns() - started_ns) / 1e6, 2),
        )

    def _on_failure(self, recording: Recording, why: str) -> None:
        if recording is self._recording and not recording.ended:
            self._fail(why)

    def _on_timeout(self) -> None:
        recording = self._recording
        self._fail(NO_ANSWER)
        self._loop.call_later(RESTART_S, partial(self._restart_if_blocked, recording))

    def _fail(self, why: str) -> None:
        self._recording.ended = True
        log.info("no recording: %s", why)
        self._health.set_problem(PROBLEM, why)
        self._forget()

    def _restart_if_blocked(self, recording: Recording) -> None:
        """A new process can open the microphone again; this one's thread is lost in the driver."""
        if self._recorder.hangs_at(recording):
            raise RuntimeError(NO_ANSWER)

    def on_tick(self) -> None:
        """Feed the watchdog while the microphone's thread moves; publish that nothing happens."""
        if self._recorder.blocked_s() <= TIMEOUT_S["opening"]:
            self._health.feed_watchdog()
        if self._state == "idle":
            self._describe()
            self._publish_state()

    def _publish_state(self, level: float | None = None) -> None:
        """`recording`; the time before the first sound belongs to no phase of the contract."""
        if self._state == "opening":
            return
        idle = self._state == "idle"
        t_ns = time.monotonic_ns() if idle else self._recording.end_ns
        self._publisher.publish(
            "recording",
            RecordingMessage(
                t_ns=t_ns,
                time=unix_time(t_ns),
                phase=self._state,
                elapsed_s=0.0 if idle else round(self._recording.elapsed_s, 3),
                level_dbfs=None if level is None else round(level, 1),
                button=self._button.is_there,
            ),
        )

    def close(self) -> None:
        """Leave off recording; the LED goes out."""
        self._recording.ended = True
        self._button.close()
        self._recorder.close()


def unix_time(t_ns: int) -> float:
    """The wall clock, s, at `t_ns` of CLOCK_MONOTONIC."""
    return time.time() - (time.monotonic_ns() - t_ns) / 1e9


def run(config: Config, loop: Loop) -> None:
    """Serve until the loop stops. Raises ModelError, SoundError."""
    if config.audio.source == OFF:
        run_button(config, loop)
        return
    microphone = make_microphone(config.audio.source)
    serve(config, loop, microphone, VoiceAnalyzer.from_config(config.audio, config.threads))


def run_button(config: Config, loop: Loop) -> None:
    """Without a microphone the button can still switch the computer off."""
    with closing(Publisher(config.endpoint("in"), config.device_name)) as publisher:
        health = Health(publisher, "audio", loop)
        button = ButtonController(config.audio.button, config.directory, loop, health, publisher)
        with closing(button):
            button.open()
            serve_off(health, loop)


def serve(config: Config, loop: Loop, microphone: Microphone, analyzer: VoiceAnalyzer) -> None:
    """Put the service together and let it work until the loop stops."""
    with (
        closing(Publisher(config.endpoint("in"), config.device_name)) as publisher,
        closing(Subscriber(config.endpoint("out"), ["press"])) as presses,
    ):
        health = Health(publisher, "audio", loop)
        button = ButtonController(config.audio.button, config.directory, loop, health, publisher)
        recorder = Recorder(microphone, loop.call_soon_threadsafe)
        service = AudioService(
            config.audio, loop, publisher, presses, health, recorder, analyzer, button
        )
        loop.add_reader(presses.socket, service.on_press)
        with closing(service):
            service.start()
            loop.run()
