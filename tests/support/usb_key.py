"""A pipe that stands for the event device of a USB key."""

import os
from pathlib import Path

from edge.devices.button.input_key import EV_KEY, EVENT

KEY_A, KEY_B = 30, 48
EV_SYN, EV_MSC = 0, 4


class Key:
    """What the kernel writes while somebody presses."""

    def __init__(self, path: Path) -> None:
        """Plugs it in."""
        self.path = path
        os.mkfifo(path)
        self._end: int | None = None

    def connect(self) -> None:
        """Somebody reads it by now."""
        self._end = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)

    def send(self, value: int, code: int = KEY_B) -> None:
        """1 = down, 0 = up, 2 = repeated; with what surrounds it on a real keyboard."""
        assert self._end is not None
        events = ((EV_MSC, 4, code), (EV_KEY, code, value), (EV_SYN, 0, 0))
        os.write(self._end, b"".join(EVENT.pack(1, 2, *event) for event in events))

    def unplug(self) -> None:
        self.path.unlink()
        if self._end is not None:
            os.close(self._end)
            self._end = None
