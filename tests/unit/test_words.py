import time

from edge.bus.messages import Emotion
from edge.commands.text import format_message


def test_what_comes_from_the_network_cannot_steer_the_terminal() -> None:
    forged = Emotion(
        t_ns=time.monotonic_ns(),
        time=time.time(),
        emotion="\x1b]0;PWNED\x07happy\nFAKE",
        confidence=0.5,
        scores={},
        face_age_s=0.0,
    )
    assert format_message(forged).isprintable()
