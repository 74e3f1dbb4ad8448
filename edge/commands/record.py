"""`emotion-edge record`: the button's action from a keyboard, and what came of it."""

import sys
import time

from edge.bus.messages import AudioMessage, HealthMessage, Message, Press, RecordingMessage
from edge.bus.pubsub import Subscriber, send_once
from edge.commands.text import format_message
from edge.config import Config

OK, FAILED = 0, 1
READ_TIMEOUT_S = 4.0
"""A press is answered by `recording` within this long, or none will come: a device may be slow."""
SLACK_S = 5.0
"""Beyond the recording's own length, for its analysis."""


def record(config: Config, endpoint: str | None) -> int:
    """Press, follow the recording, print the result.

    `endpoint`: the hub's inlet; None = this host's. Returns 0, or 1 where no recording came of
    it. Raises BusError where no hub answers.
    """
    inlet = endpoint or config.endpoint("in")
    outlet = inlet.removesuffix("/in") + "/out"
    subscriber = Subscriber(outlet, ["recording", "audio", "health.audio"])
    try:
        pressed_ns = time.monotonic_ns()
        press = Press(t_ns=pressed_ns, time=time.time(), trigger="command")
        send_once(inlet, config.device_name, "press", press)
        return Follower(subscriber, pressed_ns, config.audio.duration_s + SLACK_S).follow()
    finally:
        subscriber.close()


class Follower:
    """Says what a press leads to, up to its result."""

    def __init__(self, subscriber: Subscriber, pressed_ns: int, longest_s: float) -> None:
        self._subscriber = subscriber
        self._pressed_ns = pressed_ns
        self._longest_s = longest_s
        self._deadline_s = time.monotonic() + READ_TIMEOUT_S
        self._started = False
        self._why = ""

    def follow(self) -> int:
        """Returns the exit code."""
        while time.monotonic() < self._deadline_s:
            self._subscriber.socket.poll(100)
            received = [message for _, message in self._subscriber.receive()]
            # A result comes with the `idle` that follows it: look at the result first.
            for message in sorted(
                received, key=lambda message: not isinstance(message, AudioMessage)
            ):
                code = self._take(message)
                if code is not None:
                    return code
        return self._fail("the recording gave no result" if self._started else "no recording began")

    def _take(self, message: Message) -> int | None:
        """The exit code where this message ends it."""
        is_new = message.t_ns >= self._pressed_ns
        if isinstance(message, HealthMessage):
            self._why = message.detail if message.state != "ok" else ""
        elif isinstance(message, AudioMessage) and is_new:
            print(format_message(message))
            return OK
        elif isinstance(message, RecordingMessage):
            return self._take_phase(message.phase, is_new)
        return None

    def _take_phase(self, phase: str, is_new: bool) -> int | None:
        if not is_new and phase != "idle":
            return self._fail("a recording was under way, so the press was ignored")
        if is_new and phase == "recording" and not self._started:
            self._started = True
            self._deadline_s = time.monotonic() + self._longest_s
            print("recording: speak now", flush=True)
        elif is_new and phase == "idle" and self._started:
            return self._fail("the recording was given up")
        return None

    def _fail(self, what: str) -> int:
        why = f": {self._why}" if self._why else ""
        print(f"emotion-edge record: {what}{why}", file=sys.stderr)
        return FAILED
