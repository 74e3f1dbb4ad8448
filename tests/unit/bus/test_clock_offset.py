import pytest

from edge.bus.clock_offset import WINDOW_S, ClockOffset


def test_the_offset_is_that_of_the_fastest_message() -> None:
    offset = ClockOffset()
    for delay_s in (0.3, 0.002, 0.1):
        offset.take(published_s=1000.0, arrived_s=1060.0 + delay_s)
    assert offset.seconds == pytest.approx(60.002)


def test_before_any_message_the_clocks_are_taken_to_agree() -> None:
    assert ClockOffset().seconds == 0.0


def test_a_clock_that_is_set_forward_is_followed_at_once() -> None:
    offset = ClockOffset()
    offset.take(1000.0, 1000.0)
    offset.take(1031.0, 1001.0)
    assert offset.seconds == pytest.approx(-30.0)


def test_a_clock_that_is_set_back_is_followed_within_two_windows() -> None:
    offset = ClockOffset()
    offset.take(1000.0, 1000.0)
    seconds = [float(second) for second in range(1, int(2 * WINDOW_S) + 2)]
    for second in seconds:
        offset.take(1000.0 + second - 30.0, 1000.0 + second)
    assert offset.seconds == pytest.approx(30.0)


def test_our_own_clock_that_is_set_back_starts_a_new_window() -> None:
    offset = ClockOffset()
    offset.take(1000.0, 1000.0)
    offset.take(1001.0, 901.0)
    assert offset.seconds == pytest.approx(-100.0)


def later(offset: ClockOffset, seconds: range, ahead_s: float, start_s: float = 1000.0) -> float:
    """The estimate after a message each second from a clock that ours is `ahead_s` ahead of."""
    for second in seconds:
        offset.take(start_s + second - ahead_s, start_s + second)
    return offset.seconds


def test_the_fastest_message_counts_for_a_minute_and_is_forgotten_after_two() -> None:
    offset = ClockOffset()
    offset.take(1000.0, 1000.0)
    assert later(offset, range(1, 60), 0.3) == 0.0, "the same window"
    assert later(offset, range(60, 119), 0.3) == 0.0, "the window before"
    assert later(offset, range(119, 122), 0.3) == pytest.approx(0.3)
    assert {round(later(offset, range(s, s + 1), 0.3), 3) for s in range(122, 300)} == {0.3}


def test_a_window_is_a_minute_long_whenever_its_first_message_came() -> None:
    offset = ClockOffset()
    later(offset, range(1), 0.5)
    offset.take(1090.0, 1090.0)
    assert later(offset, range(91, 149), 0.5) == 0.0
    assert later(offset, range(149, 209), 0.5) == 0.0
    assert later(offset, range(209, 212), 0.5) == pytest.approx(0.5)


def test_after_our_own_clock_was_set_back_windows_are_as_long_as_before() -> None:
    offset = ClockOffset()
    offset.take(1000.0, 1000.0)
    offset.take(1001.0, 901.0)
    assert later(offset, range(2, 122), -99.7, start_s=900.0) == pytest.approx(-99.7)
