"""Which frame is shown when, and what is said of its age."""

from typing import NamedTuple

import pytest

from edge.policy.frame_sync import FrameQueue, FrameStats

S = 1_000_000_000
MS = 1_000_000


class Taken(NamedTuple):
    seq: int
    t_ns: int


def four_waiting():
    """Frames 0 to 3, taken 10 ms apart."""
    waiting = FrameQueue()
    for seq in range(4):
        waiting.add(Taken(seq, seq * 10 * MS))
    return waiting


def test_a_frame_whose_faces_came_is_taken_and_older_ones_are_skipped():
    waiting = four_waiting()
    assert waiting.take(2).seq == 2
    assert waiting.take(1) is None
    assert waiting.skipped == 2


def test_faces_of_a_frame_that_does_not_wait_take_nothing():
    waiting = four_waiting()
    assert waiting.take(9) is None
    assert waiting.skipped == 0


def test_the_newest_frame_that_is_40_ms_old_is_due():
    waiting = four_waiting()
    assert waiting.take_due(39 * MS) is None
    assert waiting.take_due(65 * MS).seq == 2
    assert waiting.take_due(65 * MS) is None
    assert waiting.take_due(70 * MS).seq == 3


def test_frame_stats_tells_rate_and_age():
    stats = FrameStats()
    assert (stats.rate_hz, stats.lag_ms, stats.p95_ms) == (None, None, None)
    for number in range(101):
        stats.add_arrival(number * S // 25)
        stats.add_shown(float(number))
    assert stats.rate_hz == pytest.approx(25)
    assert stats.p95_ms == 95
    assert stats.lag_ms == 93


def test_frame_stats_forgets_what_is_long_ago():
    stats = FrameStats()
    stats.add_shown(1000.0)
    for _ in range(300):
        stats.add_shown(10.0)
    assert stats.p95_ms == 10
