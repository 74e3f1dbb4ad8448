"""How often faces are looked for, by temperature: steps, hysteresis, and back."""

import pytest

from edge.policy.thermal import CALM_S, LIMIT_C, ThermalThrottle


def steps(*temperatures: float, limit_c: float | None = None, gap_s: float = CALM_S) -> list[int]:
    """The step after each temperature; `gap_s` lies between two."""
    cooling = ThermalThrottle(limit_c)
    said = []
    for turn, celsius in enumerate(temperatures):
        cooling.update(1000.0 + turn * gap_s, celsius, None)
        said.append(cooling.step)
    return said


def test_a_cool_board_is_left_alone() -> None:
    cooling = ThermalThrottle(None)
    cooling.update(1000.0, 60.0, False)
    assert (cooling.step, cooling.rate_hz, cooling.describe(False)) == (0, None, "")


def test_each_step_begins_before_the_board_slows_itself_down() -> None:
    assert steps(71.9, 72.0, 74.9, 75.0, 77.9, 78.0, 85.0) == [0, 1, 1, 2, 2, 3, 3]
    assert LIMIT_C > 78.0


def test_the_rate_drops_by_steps() -> None:
    cooling = ThermalThrottle(None)
    rates = []
    for turn, celsius in enumerate((60.0, 73.0, 76.0, 79.0)):
        cooling.update(1000.0 + turn, celsius, None)
        rates.append(cooling.rate_hz)
    assert rates == [None, 10.0, 6.0, 3.0]


def test_heat_that_comes_at_once_is_answered_at_once() -> None:
    assert steps(50.0, 79.0, gap_s=1.0) == [0, 3]


def test_a_step_is_left_below_where_it_began() -> None:
    assert steps(72.5, 71.0, 68.1, 67.9) == [1, 1, 1, 0]


def test_the_way_back_takes_its_time_step_by_step() -> None:
    assert steps(79.0, 40.0, 40.0, 40.0, gap_s=CALM_S) == [3, 2, 1, 0]
    assert steps(79.0, 40.0, 40.0, gap_s=CALM_S / 2.5) == [3, 3, 3]


def test_a_temperature_that_trembles_about_a_limit_does_not_make_the_rate_tremble() -> None:
    said = steps(*[71.5, 72.5] * 20, gap_s=1.0)
    assert said == [0] + [1] * 39


def test_a_limit_that_the_kernel_names_is_kept() -> None:
    assert steps(85.0, 91.0, 97.5, limit_c=99.0) == [0, 1, 3]


@pytest.mark.parametrize("celsius", [None, 50.0])
def test_a_board_that_is_slowed_down_already_is_helped_however_cool(celsius: float | None) -> None:
    cooling = ThermalThrottle(None)
    cooling.update(1000.0, celsius, True)
    assert cooling.step == 1
    assert cooling.describe(True) == (
        "the board slows itself down (heat, or a weak power supply): "
        "faces at most 10 times a second"
    )
    cooling.update(1000.0 + CALM_S, celsius, False)
    assert cooling.step == 0


def test_what_it_says_does_not_change_with_every_degree() -> None:
    cooling = ThermalThrottle(None)
    said = set()
    for turn, celsius in enumerate((72.0, 72.6, 73.1, 74.0)):
        cooling.update(1000.0 + turn, celsius, False)
        said.add(cooling.describe(False))
    assert said == {"the board is hot: faces at most 10 times a second"}
