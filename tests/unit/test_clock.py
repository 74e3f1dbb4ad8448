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
