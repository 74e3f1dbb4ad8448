"""Another host: subscribes to the Pi over TCP, with a key, and keeps what it receives."""

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

from edge.bus.messages import SERVICES, HealthMessage, Message
from edge.client import Subscription

M = TypeVar("M", bound=Message)


class Word(NamedTuple):
    at_s: float
    """time.monotonic() of this host."""
    topic: str
    message: Message


class Listener:
    """Listens in a thread of its own, from its making until `close`."""

    def __init__(self, port: int, key: Path) -> None:
        self._words: list[Word] = []
        self._over = False
        self._device = Subscription(f"tcp://127.0.0.1:{port}", key=key)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._over:
            for received in self._device.wait(0.1):
                self._words.append(Word(time.monotonic(), received.topic, received.message))
        self._device.close()

    def received(self, kind: type[M], since_s: float) -> list[M]:
        """All of that kind, in order."""
        words = [word.message for word in list(self._words) if word.at_s >= since_s]
        return [message for message in words if isinstance(message, kind)]

    def await_(self, what: str, is_so: Callable[[], bool], limit_s: float) -> None:
        """Wait until it is so. Raises AssertionError."""
        give_up_s = time.monotonic() + limit_s
        while not is_so():
            if time.monotonic() > give_up_s:
                raise AssertionError(f"not within {limit_s:.0f} s: {what}; {self.states()}")
            time.sleep(0.1)

    def last_health(self, service: str, since_s: float = 0.0) -> HealthMessage | None:
        for word in reversed(list(self._words)):
            if word.at_s < since_s:
                return None
            if word.topic == f"health.{service}":
                assert isinstance(word.message, HealthMessage)
                return word.message
        return None

    def states(self) -> str:
        """Every service's last word."""
        said = {name: self.last_health(name) for name in SERVICES}
        return ", ".join(f"{n} {h.state}: {h.detail}" if h else f"{n} ?" for n, h in said.items())

    def await_state(self, service: str, state: str, limit_s: float) -> HealthMessage:
        """Wait until a service says from now on that it is in `state`."""
        since_s = time.monotonic()

        def is_so() -> bool:
            health = self.last_health(service, since_s)
            return health is not None and health.state == state

        self.await_(f"{service} {state}", is_so, limit_s)
        health = self.last_health(service, since_s)
        assert health is not None
        return health

    def longest_gap_s(self, service: str, since_s: float) -> float:
        """The longest time without a sign of life of `service`, until now."""
        at = [w.at_s for w in list(self._words) if w.topic == f"health.{service}"]
        at = [since_s, *(moment for moment in at if moment >= since_s), time.monotonic()]
        return max(b - a for a, b in pairwise(at))

    def close(self) -> None:
        self._over = True
        self._thread.join()
