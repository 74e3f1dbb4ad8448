"""A button and an LED at lines of a GPIO chip, on a chip that is not there."""

import sys
from pathlib import Path

import pytest

from edge.devices.button.gpio_line import LineButton, chip_number
from edge.devices.button.header import ButtonError
from tests.support.fake_lgpio import FakeLgpio

LINE, LED_LINE = 105, 43


@pytest.fixture
def gpio(monkeypatch: pytest.MonkeyPatch) -> FakeLgpio:
    fake = FakeLgpio()
    monkeypatch.setitem(sys.modules, "lgpio", fake)
    return fake


@pytest.fixture
def chip(tmp_path: Path) -> Path:
    chip = tmp_path / "gpiochip1"
    chip.touch()
    return chip


def make_button(chip: Path, received: list[str], led_line: int | None = LED_LINE) -> LineButton:
    return LineButton(
        chip,
        LINE,
        0.05,
        led_line,
        lambda: received.append("press"),
        lambda: received.append("release"),
        chip.parent,
    )


def test_the_line_is_pulled_up_and_debounced_as_a_pin_is(gpio: FakeLgpio, chip: Path) -> None:
    button = make_button(chip, [])
    assert gpio.opened == [1]
    assert gpio.flags[LINE] == gpio.SET_PULL_UP
    assert gpio.debounce_us == {LINE: 50_000}
    assert button.about == "button at line 105 of gpiochip1, LED at line 43"


def test_pulling_the_line_low_is_a_press_and_letting_go_a_release(
    gpio: FakeLgpio, chip: Path
) -> None:
    received: list[str] = []
    make_button(chip, received)
    gpio.move(LINE, 0)
    assert received == ["press"]
    gpio.move(LINE, 1)
    assert received == ["press", "release"]


def test_the_led_follows_light_and_goes_off_with_close(gpio: FakeLgpio, chip: Path) -> None:
    received: list[str] = []
    button = make_button(chip, received)
    button.set_led(True)
    assert gpio.levels[LED_LINE] == [0, 1]
    button.close()
    assert gpio.levels[LED_LINE] == [0, 1, 0]
    gpio.move(LINE, 0)
    assert (received, gpio.closed) == ([], 1)


def test_without_an_led_light_does_nothing(gpio: FakeLgpio, chip: Path) -> None:
    button = make_button(chip, [], led_line=None)
    button.set_led(True)
    assert gpio.levels == {}
    assert button.about == "button at line 105 of gpiochip1"


@pytest.mark.parametrize("led_line", [LINE, 999])
def test_a_line_that_cannot_be_had_is_named_and_the_chip_given_back(
    gpio: FakeLgpio, chip: Path, led_line: int
) -> None:
    with pytest.raises(ButtonError, match=r"line 105 of .*set audio.button to free lines"):
        make_button(chip, [], led_line)
    assert gpio.closed == 1


def test_without_lgpio_the_package_is_named(monkeypatch: pytest.MonkeyPatch, chip: Path) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    with pytest.raises(ButtonError, match="apt install python3-lgpio"):
        make_button(chip, [])


def test_a_link_to_a_chip_is_followed(chip: Path, tmp_path: Path) -> None:
    (tmp_path / "gpio-main").symlink_to(chip)
    assert chip_number(tmp_path / "gpio-main") == 1


@pytest.mark.parametrize(
    ("name", "said"), [("gpiochip9", "there is no"), ("ttyS0", "is not a GPIO")]
)
def test_what_is_no_chip_is_named_with_the_fix(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ButtonError, match=rf"{said}.*gpiodetect"):
        chip_number(tmp_path / name)
