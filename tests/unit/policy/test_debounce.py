from edge.bus.messages import NOBODY
from edge.policy.debounce import CHANGE_S, NOBODY_S, Change, ChangeDetector, Debounced


def changes(*states: tuple[float, str]) -> list[Change]:
    """What is detected when each (from when on, emotion) is repeated 10 times a second."""
    detector, found = ChangeDetector(0.0), []
    for (start_s, emotion), (end_s, _) in zip(states, [*states[1:], (60.0, "")], strict=True):
        for step in range(round((end_s - start_s) * 10)):
            found.append(detector.update(start_s + step / 10, emotion))
    return [change for change in found if change]


def test_a_value_gives_way_to_one_that_lasted() -> None:
    value = Debounced("a", 0.0)
    assert not value.update(1.0, "b", after_s=0.5)
    assert not value.update(1.4, "b", after_s=0.5)
    assert value.update(1.5, "b", after_s=0.5)
    assert (value.value, value.began_s, value.changed_s) == ("b", 1.0, 1.5)


def test_a_value_that_is_wanted_again_meanwhile_stays() -> None:
    value = Debounced("a", 0.0)
    for at_s, wanted in [(1.0, "b"), (1.3, "a"), (1.4, "b"), (1.8, "b")]:
        assert not value.update(at_s, wanted, after_s=0.5)
    assert value.update(1.9, "b", after_s=0.5)


def test_a_value_stays_for_its_least_time() -> None:
    value = Debounced("a", 0.0)
    assert not value.update(0.3, "b", after_s=0.0, least_s=0.5)
    assert value.update(0.5, "b", after_s=0.0, least_s=0.5)


def test_who_comes_and_goes_is_a_change_each_with_how_long_the_one_before_lasted() -> None:
    first, last = changes((0.0, NOBODY), (2.0, "happy"), (10.0, NOBODY))
    assert first == Change(NOBODY, "happy", 2.0, 2.0)
    assert last == Change("happy", NOBODY, 8.0, 10.0)


def test_what_is_over_in_a_moment_is_no_change() -> None:
    before = CHANGE_S - 0.2
    assert len(changes((0.0, "happy"), (5.0, "sad"), (5.0 + before, "happy"))) == 1


def test_looking_away_for_a_moment_leaves_nobody_out() -> None:
    away = NOBODY_S - 0.2
    assert [c.emotion for c in changes((0.0, "happy"), (5.0, NOBODY), (5 + away, "happy"))] == [
        "happy"
    ]


def test_what_lies_between_two_emotions_for_a_moment_is_left_out() -> None:
    found = changes((0.0, "happy"), (5.0, "uncertain"), (5.5, "sad"))
    assert [(c.previous, c.emotion) for c in found] == [(NOBODY, "happy"), ("happy", "sad")]
