import time

from edge.bus import pubsub
from edge.bus.messages import Press


def press(sent_s_ago: float, age_ms: float = 0.0) -> Press:
    t_ns = time.monotonic_ns() - round(sent_s_ago * 1e9)
    return Press(t_ns=t_ns, time=time.time(), age_ms=age_ms, trigger="key")


def test_a_message_is_late_by_its_way_not_by_its_subject() -> None:
    assert pubsub.is_late(press(sent_s_ago=5))
    assert not pubsub.is_late(press(sent_s_ago=0))
    assert not pubsub.is_late(press(sent_s_ago=5, age_ms=5000))


def test_an_event_that_was_held_up_is_no_news() -> None:
    assert pubsub.is_old_event("press", press(sent_s_ago=5))
    assert not pubsub.is_old_event("press", press(sent_s_ago=0))
