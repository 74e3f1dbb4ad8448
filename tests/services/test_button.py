"""Buttons of every kind in the audio process: lost and found again, and held."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from edge.bus.messages import HealthMessage, Message
from edge.config import ButtonConfig, Config
from edge.services import button as button_service
from tests.support.audio import PIN, health, phase, result, service, with_audio
from tests.support.fake_lgpio import FakeLgpio
from tests.support.harness import wait_for
from tests.support.usb_key import Key

HOLD_S = 0.3


@pytest.fixture
def busctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name, which notes what it is asked for; the note."""
    note, program = tmp_path / "asked", tmp_path / "busctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {note}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return note


def detail(*words: str) -> Callable[[str, Message], bool]:
    return lambda _, m: isinstance(m, HealthMessage) and all(word in m.detail for word in words)


def test_a_line_of_a_chip_records_and_lights_its_led_meanwhile(
    quick: Config, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpio = FakeLgpio()
    monkeypatch.setitem(sys.modules, "lgpio", gpio)
    (directory / "gpiochip0").touch()
    button = ButtonConfig(chip=str(directory / "gpiochip0"), line=105, led_line=43)
    with service(with_audio(quick, button=button)) as (listener, _):
        listener.until(detail("button at line 105 of gpiochip0"))
        gpio.move(105, 0)
        gpio.move(105, 1)
        assert result(listener).trigger == "button"
        listener.until(phase("idle"))
    assert gpio.levels[43][0] == gpio.levels[43][-1] == 0
    assert 1 in gpio.levels[43]


def test_a_chip_that_is_not_there_is_said(quick: Config, directory: Path) -> None:
    button = ButtonConfig(chip=str(directory / "gpiochip0"), line=105)
    with service(with_audio(quick, button=button)) as (listener, _):
        listener.until(detail("there is no", "gpiochip0"))


def test_a_usb_key_records_is_lost_and_found_again(
    quick: Config, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(button_service, "RETRY_S", 0.05)
    path = directory / "pedal"
    button = ButtonConfig(input=str(path), bounce_s=0.0)
    with service(with_audio(quick, button=button)) as (listener, _):
        listener.until(detail("no ", "plug the key in"))
        for _ in range(2):
            key = Key(path)
            listener.until(health("ok"))
            key.connect()
            key.send(1)
            assert result(listener).trigger == "key"
            listener.until(phase("idle"))
            key.unplug()
            listener.until(health("degraded"))


def test_a_press_records_at_once_and_holding_on_switches_the_computer_off(
    quick: Config, pins: MockFactory, busctl: Path
) -> None:
    button = ButtonConfig(pin=PIN, power_off_s=HOLD_S)
    with service(with_audio(quick, button=button)) as (listener, _):
        pins.pin(PIN).drive_low()
        listener.until(phase("recording"))
        wait_for(lambda: busctl.exists() and busctl.read_text().endswith("\n"), "it was asked for")
        result(listener)
        pins.pin(PIN).drive_high()
    assert busctl.read_text().splitlines() == [
        "--system --timeout=10 call org.freedesktop.login1 /org/freedesktop/login1 "
        "org.freedesktop.login1.Manager PowerOff b false"
    ]


def test_a_short_press_never_switches_the_computer_off(
    quick: Config, pins: MockFactory, busctl: Path
) -> None:
    button = ButtonConfig(pin=PIN, power_off_s=HOLD_S)
    with service(with_audio(quick, button=button)) as (listener, _):
        for _ in range(5):
            pins.pin(PIN).drive_low()
            pins.pin(PIN).drive_high()
        result(listener)
        listener.until(phase("idle"))
    assert not busctl.exists()


def test_unless_it_is_asked_for_a_button_that_is_held_only_records(
    quick: Config, pins: MockFactory, busctl: Path
) -> None:
    with service(with_audio(quick, button=ButtonConfig(pin=PIN))) as (listener, _):
        pins.pin(PIN).drive_low()
        result(listener)
        listener.until(phase("idle"))
    assert not busctl.exists()


def test_a_key_that_is_pulled_out_while_it_is_held_switches_nothing_off(
    quick: Config, directory: Path, busctl: Path
) -> None:
    key = Key(directory / "pedal")
    button = ButtonConfig(input=str(key.path), bounce_s=0.0, power_off_s=2.0)
    with service(with_audio(quick, button=button)) as (listener, _):
        key.connect()
        key.send(1)
        listener.until(phase("recording"))
        key.unplug()
        for _ in range(4):  # one a second
            listener.until(health("degraded"))
    assert not busctl.exists()


def test_where_the_policy_refuses_it_is_said(
    quick: Config, pins: MockFactory, busctl: Path
) -> None:
    refusal = "#!/bin/sh\necho 'Call failed: Access denied' >&2\nexit 1\n"
    busctl.with_name("busctl").write_text(refusal)
    button = ButtonConfig(pin=PIN, power_off_s=HOLD_S)
    with service(with_audio(quick, button=button)) as (listener, _):
        pins.pin(PIN).drive_low()
        listener.until(detail("cannot power off: Call failed: Access denied"))


def test_without_busctl_it_is_said(
    quick: Config, pins: MockFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    button = ButtonConfig(pin=PIN, power_off_s=HOLD_S)
    with service(with_audio(quick, button=button)) as (listener, _):
        pins.pin(PIN).drive_low()
        listener.until(detail("cannot power off: busctl: No such file"))
