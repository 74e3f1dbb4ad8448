import pytest

from edge.policy import first_word


def begun_after(speech: list[bool], wait_s: float) -> tuple[float, float] | None:
    """(when it began, how much of before belongs to it), s, if speech is looked for every 0.1 s."""
    for number, spoken in enumerate(speech):
        lead_s = first_word.lead_s(number / 10, spoken, wait_s)
        if lead_s is not None:
            return number / 10, lead_s
    return None


def test_without_a_word_it_goes_on_waiting() -> None:
    assert begun_after([False] * 19, wait_s=2.0) is None


def test_a_word_begins_it_with_what_came_just_before() -> None:
    began_s, lead_s = begun_after([False] * 8 + [True], wait_s=2.0) or (0, 0)
    assert began_s == 0.8
    assert lead_s == pytest.approx(first_word.PRE_ROLL_S + first_word.RECOGNITION_S)


def test_after_the_wait_it_begins_for_who_hesitates() -> None:
    assert begun_after([False] * 30, wait_s=2.0) == (2.0, first_word.PRE_ROLL_S)


def test_without_a_wait_it_begins_at_once() -> None:
    assert begun_after([False], wait_s=0.0) == (0.0, first_word.PRE_ROLL_S)


def moves(levels: list[float], size: int, wait_s: float = 2.0) -> int:
    """How many pieces of 0.1 s a recording of `size` pieces moves on."""
    moved = 0
    while moved + size < len(levels) and first_word.moves_on(
        levels[moved], levels[moved + size - 1], moved / 10, wait_s
    ):
        moved += 1
    return moved


def test_who_has_finished_has_the_answer_without_delay() -> None:
    assert moves([-60.0] * 3 + [-20.0] * 12 + [-61.0] * 25, size=20) == 0


def test_who_still_speaks_has_the_quiet_before_replaced_by_more_words() -> None:
    assert moves([-60.0] * 3 + [-20.0] * 37, size=20) == 3


def test_it_does_not_move_for_longer_than_a_second() -> None:
    rising = [-60.0 + number for number in range(60)]
    assert moves(rising, size=20) == round(first_word.MAX_MOVE_S * 10)


def test_a_recording_that_begins_at_once_stays_where_it_is() -> None:
    assert moves([-60.0] * 3 + [-20.0] * 37, size=20, wait_s=0.0) == 0
