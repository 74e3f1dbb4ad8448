"""A USB key: events of the kernel's format, through a pipe."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.devices.button.header import ButtonError
from edge.devices.button.input_key import EVENT, KeyButton
from tests.support.usb_key import KEY_A, KEY_B, Key


@pytest.fixture
def key(tmp_path: Path) -> Iterator[Key]:
    key = Key(tmp_path / "usb-Pedal-event-kbd")
    yield key
    if key.path.exists():
        key.unplug()


def open_key(
    key: Key, received: list[str], code: int | None = None, bounce_s: float = 0.0
) -> KeyButton:
    button = KeyButton(
        key.path,
        code,
        bounce_s,
        lambda: received.append("press"),
        lambda: received.append("release"),
    )
    key.connect()
    return button


def test_an_event_has_the_size_that_the_kernel_gives_it() -> None:
    assert EVENT.size == 24, "on 64-bit Linux"


def test_down_is_a_press_up_a_release_and_repetition_nothing(key: Key) -> None:
    received: list[str] = []
    button = open_key(key, received)
    for value in (1, 2, 2, 0):
        key.send(value)
    button.read()
    assert received == ["press", "release"]
    button.close()


def test_only_the_chosen_key_counts(key: Key) -> None:
    received: list[str] = []
    button = open_key(key, received, KEY_B)
    key.send(1, KEY_A)
    key.send(0, KEY_A)
    button.read()
    assert received == []
    key.send(1, KEY_B)
    button.read()
    assert received == ["press"]
    assert button.about == "key 48 of usb-Pedal-event-kbd"
    button.close()


def test_bouncing_makes_one_press_and_never_a_key_that_stays_down(key: Key) -> None:
    received: list[str] = []
    button = open_key(key, received, bounce_s=60.0)
    for value in (1, 0, 1, 0, 1, 0):
        key.send(value)
    button.read()
    assert received.count("press") == 1
    assert received[-1] == "release"
    button.close()


def test_nothing_to_read_is_nothing_pressed(key: Key) -> None:
    received: list[str] = []
    button = open_key(key, received)
    button.read()
    assert received == []
    button.close()


def test_a_key_that_was_unplugged_is_said_to_be_lost(key: Key) -> None:
    button = open_key(key, [])
    key.unplug()
    with pytest.raises(ButtonError, match="usb-Pedal-event-kbd is lost; plug it in again"):
        button.read()
    button.close()


def test_a_key_that_is_not_there_is_named_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ButtonError, match=r"no .*event9: plug the key in, or set audio.button"):
        KeyButton(tmp_path / "event9", None, 0.0, lambda: None, lambda: None)
