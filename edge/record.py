"""`emotion-edge record`: the button's action from a keyboard, and what came of it."""

import sys
import time

from edge.bus import Subscriber, send_once
from edge.config import Config
from edge.messages import Audio, Message, Press, Recording
from edge.words import in_words

OK, FAILED = 0, 1
ANSWER_S = 2.0
"""A press is answered by `recording` within this long, or nobody heard it."""
SLACK_S = 5.0
"""Beyond the recording's own length, for its analysis."""


def record(config: Config, endpoint: str | None) -> int:
    """Press, follow the recording, print the result.

    `endpoint`: the hub's inlet; None = this host's. Returns 0, or 1 where no recording came of
    it. Raises BusError where no hub answers.
    """
    inlet = endpoint or config.endpoint("in")
    outlet = inlet.removesuffix("/in") + "/out"
    subscriber = Subscriber(outlet, ["recording", "audio"])
    try:
        pressed_ns = time.monotonic_ns()
        press = Press(t_ns=pressed_ns, time=time.time(), trigger="command")
        send_once(inlet, config.device_name, "press", press)
        return _follow(subscriber, pressed_ns, config.audio.duration_s + SLACK_S)
    finally:
        subscriber.close()


def _follow(subscriber: Subscriber, pressed_ns: int, longest_s: float) -> int:
    """Print what the press led to. Returns the exit code."""
    deadline_s = time.monotonic() + ANSWER_S
    started = False
    while time.monotonic() < deadline_s:
        subscriber.socket.poll(100)
        news = [m for _, m in subscriber.receive() if m.t_ns >= pressed_ns]
        for result in news:
            if isinstance(result, Audio):
                print(in_words(result))
                return OK
        if started and any(_is_in(phase, "idle") for phase in news):
            return _fail("the recording was given up")
        if not started and any(_is_in(phase, "recording") for phase in news):
            started, deadline_s = True, time.monotonic() + longest_s
            print("recording: speak now", flush=True)
    return _fail("the recording gave no result" if started else "no recording started")


def _is_in(message: Message, phase: str) -> bool:
    return isinstance(message, Recording) and message.phase == phase


def _fail(what: str) -> int:
    print(
        f"emotion-edge record: {what}; `emotion-edge watch --topic health.audio` says how the "
        "audio process is",
        file=sys.stderr,
    )
    return FAILED
