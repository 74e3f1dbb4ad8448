"""The button and the LED, on gpiozero's own simulated pins."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory

from edge.devices.button.header import Button, ButtonError, board_chips, inaccessible_chip

PIN, LED_PIN = 17, 27
NOBODY = 65_534
BOARD = Path("/proc")  # stands for a device tree, where one is needed


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    before = gpiozero.Device.pin_factory
    gpiozero.Device.pin_factory = MockFactory()
    yield gpiozero.Device.pin_factory
    gpiozero.Device.pin_factory.reset()
    gpiozero.Device.pin_factory = before


def make_button(directory: Path, presses: list[str], led_pin: int | None = LED_PIN) -> Button:
    return Button(
        PIN,
        0.05,
        led_pin,
        lambda: presses.append("press"),
        lambda: presses.append("release"),
        directory,
    )


def test_pulling_the_pin_low_is_a_press_and_letting_go_a_release(
    pins: MockFactory, directory: Path
) -> None:
    presses: list[str] = []
    button = make_button(directory, presses)
    pins.pin(PIN).drive_low()
    assert presses == ["press"]
    pins.pin(PIN).drive_high()
    assert presses == ["press", "release"]
    button.close()


def test_the_pin_is_pulled_up_and_debounced_by_its_driver(
    pins: MockFactory, directory: Path
) -> None:
    button = make_button(directory, [])
    assert pins.pin(PIN).pull == "up"
    assert pins.pin(PIN).bounce == 0.05
    button.close()


def test_the_led_follows_light_and_goes_off_with_close(pins: MockFactory, directory: Path) -> None:
    button = make_button(directory, [])
    led = pins.pin(LED_PIN)
    assert not led.state
    button.set_led(True)
    assert led.state
    button.set_led(False)
    assert not led.state
    button.set_led(True)
    button.close()
    assert not led.state


@pytest.mark.usefixtures("pins")
def test_without_an_led_light_does_nothing(directory: Path) -> None:
    button = make_button(directory, [], led_pin=None)
    button.set_led(True)
    assert button.about == "button at GPIO17"


def test_after_close_a_press_is_ignored(pins: MockFactory, directory: Path) -> None:
    presses: list[str] = []
    make_button(directory, presses).close()
    pins.pin(PIN).drive_low()
    assert presses == []


@pytest.mark.usefixtures("pins")
def test_one_pin_for_button_and_led_is_refused_in_one_line(directory: Path) -> None:
    with pytest.raises(ButtonError, match=r"GPIO17 .*set audio.button") as refused:
        make_button(directory, [], led_pin=PIN)
    assert "\n" not in str(refused.value)
    make_button(directory, []).close()  # the pin was given back


@pytest.mark.skipif(Path("/proc/device-tree").exists(), reason="this machine may well have GPIO")
def test_a_machine_without_gpio_has_no_button_and_is_told_so_in_silence(directory: Path) -> None:
    program = (
        "from pathlib import Path\n"
        "from edge.devices.button.header import Button, NoButtonError\n"
        "try:\n"
        f"    Button({PIN}, 0.05, None, print, print, Path({str(directory)!r}))\n"
        "except NoButtonError as error:\n"
        "    print(error)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "GPIOZERO_PIN_FACTORY"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == "no button (no GPIO on this machine)\n"
    assert done.stderr == ""


@pytest.mark.root
def test_a_closed_gpio_chip_is_named_on_a_board_and_passed_over_on_a_pc() -> None:
    with tempfile.TemporaryDirectory() as folder:
        devices = Path(folder)
        devices.chmod(0o755)
        chip = devices / "gpiochip0"
        chip.touch(mode=0o600)
        assert inaccessible_chip(devices, BOARD) is None  # root may open it
        os.seteuid(NOBODY)
        try:
            assert inaccessible_chip(devices, BOARD) == chip
            assert inaccessible_chip(devices, devices / "no device tree") is None
        finally:
            os.seteuid(0)


def test_the_gpio_chips_of_a_pc_are_no_button(tmp_path: Path) -> None:
    chip = tmp_path / "gpiochip0"
    chip.touch()
    assert board_chips(tmp_path, BOARD) == [chip]
    assert board_chips(tmp_path, tmp_path / "no device tree") == []


def test_presses_come_in_the_thread_of_whoever_moves_the_pin(
    pins: MockFactory, directory: Path
) -> None:
    received: list[int] = []
    button = Button(
        PIN, 0.05, None, lambda: received.append(threading.get_ident()), lambda: None, directory
    )
    mover = threading.Thread(target=pins.pin(PIN).drive_low)
    mover.start()
    mover.join()
    assert received == [mover.ident]
    button.close()
