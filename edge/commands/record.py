"""`emotion-edge record`: what the button does, from a keyboard, and its result."""

import time
from contextlib import closing

from edge.bus.messages import OFF, AudioMessage, HealthMessage, Message, Press, RecordingMessage
from edge.bus.pubsub import Subscriber, send_once
from edge.bus.sockets import BusError
from edge.commands.text import format_message, print_error, print_line
from edge.config import Config
from edge.errors import ExitCode, UsageError
from edge.paths import check_directory

READ_TIMEOUT_S = 4.0
"""After a press `recording` is published within this time, or never: a device may be slow."""
ANALYSIS_S = 5.0
"""Time beyond the wait for the first word and the recording's own length."""
SPEAK_NOW = ("waiting", "recording")


def record(config: Config, endpoint: str | None) -> int:
    """Press, follow the recording, print the result.

    `endpoint`: the hub's input; None = this host's. Returns 0, or 1 where there is no result.
    Raises UsageError for what is no input, BusError where there is no hub, ConfigError where it
    would be another user's.
    """
    if endpoint is None and not check_directory(config.directory):
        raise BusError(f"there is no {config.directory}; is `emotion-edge run` running?")
    inlet = endpoint or config.endpoint("in")
    if not (inlet.startswith("ipc://") and inlet.endswith("/in")):
        raise UsageError(f"{inlet}: no hub's input; write ipc://FOLDER/in, or nothing")
    outlet = inlet.removesuffix("/in") + "/out"
    with closing(Subscriber(outlet, ["recording", "audio", "health.audio"])) as subscriber:
        pressed_ns = time.monotonic_ns()
        press = Press(t_ns=pressed_ns, time=time.time(), trigger="command")
        send_once(inlet, config.device_name, "press", press)
        audio = config.audio
        max_s = audio.wait_s + audio.duration_s + ANALYSIS_S
        return Follower(subscriber, pressed_ns, max_s).follow()


class Follower:
    """Prints what a press leads to, up to its result."""

    def __init__(self, subscriber: Subscriber, pressed_ns: int, max_s: float) -> None:
        self._subscriber = subscriber
        self._pressed_ns = pressed_ns
        self._max_s = max_s
        self._deadline_s = time.monotonic() + READ_TIMEOUT_S
        self._printed: list[str] = []
        self._problem = ""

    def follow(self) -> int:
        """Returns the exit code."""
        while time.monotonic() < self._deadline_s:
            self._subscriber.socket.poll(100)
            received = [message for _, message in self._subscriber.receive()]
            # A result comes with the `idle` that follows it: look at the result first.
            for message in sorted(received, key=lambda m: not isinstance(m, AudioMessage)):
                code = self._on_message(message)
                if code is not None:
                    return code
        return self._fail("the recording gave no result" if self._printed else "no recording began")

    def _on_message(self, message: Message) -> int | None:
        """The exit code where this message ends it."""
        is_new = message.t_ns >= self._pressed_ns
        if isinstance(message, HealthMessage):
            is_off = message.detail == OFF
            problem = 'audio.source is "none"' if is_off else message.detail
            self._problem = problem if is_off or message.state != "ok" else ""
        elif isinstance(message, AudioMessage) and is_new:
            print_line(format_message(message))
            return ExitCode.OK
        elif isinstance(message, RecordingMessage):
            return self._on_phase(message.phase, is_new)
        return None

    def _on_phase(self, phase: str, is_new: bool) -> int | None:
        if not is_new and phase != "idle":
            return self._fail("a recording was in progress, so the press was ignored")
        if is_new and phase == "idle" and self._printed:
            return self._fail("the recording was cancelled")
        if is_new and phase in SPEAK_NOW and phase not in self._printed:
            self._deadline_s = time.monotonic() + self._max_s
            self._printed.append(phase)
            print_line("waiting: speak now" if phase == "waiting" else phase)
        return None

    def _fail(self, what: str) -> int:
        print_error("record", f"{what}: {self._problem}" if self._problem else what)
        return ExitCode.FAILED
