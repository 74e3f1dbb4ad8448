"""Subscribe to a device, from this host or another one. Needs pyzmq and msgspec only.

from edge.client import subscribe

for topic, message in subscribe("tcp://127.0.0.1:5556", ["emotion"]):
    print(message.emotion, message.confidence)
"""

from collections.abc import Iterable, Iterator

from edge.bus import Subscriber
from edge.messages import Message

LOCAL_DOOR = "tcp://127.0.0.1:5556"


def subscribe(
    endpoint: str = LOCAL_DOOR, topics: Iterable[str] = ("",), timeout_s: float | None = None
) -> Iterator[tuple[str, Message]]:
    """Yield (topic, message): the last value of each topic at once, then what is new.

    `topics`: prefixes ("health." is every service's). `timeout_s`: raise TimeoutError after this
    long without any message; None waits for ever. Reconnects by itself; a reader that is slow
    gets the newest of each state. Raises BusError where `endpoint` is no address.
    """
    subscriber = Subscriber(endpoint, topics)
    wait_ms = None if timeout_s is None else int(timeout_s * 1e3)
    try:
        while True:
            if not subscriber.socket.poll(wait_ms):
                raise TimeoutError(f"nothing came from {endpoint} for {timeout_s:g} s")
            yield from subscriber.receive()
    finally:
        subscriber.close()
