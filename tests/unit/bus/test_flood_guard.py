import contextlib
import queue
import time
from collections.abc import Iterator

import pytest
import zmq

from edge.bus import sockets
from edge.bus.connections import Connection, Connections
from edge.bus.flood_guard import AWAKE_S, FloodGuard
from tests.support.harness import free_port, wait_for
from tests.support.remote import raw_socket

AT_ONCE = 4096
SUBSCRIPTION = b"\x01" + b"x" * 500


@pytest.fixture
def outlet() -> Iterator["zmq.Socket[bytes]"]:
    """Its owner never reads what comes in."""
    with contextlib.closing(sockets.make_socket(zmq.XPUB)) as outlet:
        sockets.bind(outlet, f"tcp://127.0.0.1:{free_port()}")
        yield outlet


@pytest.fixture
def address(outlet: "zmq.Socket[bytes]") -> str:
    return outlet.get_string(zmq.LAST_ENDPOINT)


@pytest.fixture
def connections(address: str) -> Connections:
    return Connections(address)


@pytest.fixture
def ended(
    outlet: "zmq.Socket[bytes]", connections: Connections
) -> Iterator["queue.Queue[Connection]"]:
    """The connections that a guard has ended."""
    ended: queue.Queue[Connection] = queue.Queue()
    with contextlib.closing(FloodGuard(outlet, connections, AT_ONCE, ended.put)):
        yield ended


def send(client: "zmq.Socket[bytes]", count: int) -> None:
    client.reconnect_ivl = -1
    for _ in range(count):
        client.send(SUBSCRIPTION, zmq.NOBLOCK)


def flood(client: "zmq.Socket[bytes]", ended: "queue.Queue[Connection]") -> Connection:
    """Send until that is ended."""

    def is_ended() -> bool:
        with contextlib.suppress(zmq.Again):
            send(client, 20)
        return not ended.empty()

    wait_for(is_ended, "it is ended")
    return ended.get()


def test_who_sends_too_much_is_ended_and_another_one_stays(
    address: str, connections: Connections, ended: "queue.Queue[Connection]"
) -> None:
    with raw_socket(zmq.XSUB, address) as quiet, raw_socket(zmq.XSUB, address) as greedy:
        send(quiet, 1)
        wait_for(lambda: len(connections.open()) == 2, "both are connected")
        first = flood(greedy, ended)
        wait_for(lambda: len(connections.open()) == 1, "one is left")
        assert first not in connections.open()
        assert ended.empty()


def test_it_wakes_up_for_who_was_quiet_for_long(
    address: str, connections: Connections, ended: "queue.Queue[Connection]"
) -> None:
    with raw_socket(zmq.XSUB, address) as client:
        wait_for(lambda: bool(connections.open()), "it is connected")
        time.sleep(1.5 * AWAKE_S)
        flood(client, ended)


def test_what_may_be_sent_is_sent(address: str, ended: "queue.Queue[Connection]") -> None:
    with raw_socket(zmq.XSUB, address) as client, pytest.raises(queue.Empty):
        send(client, 6)
        ended.get(timeout=0.3)


def test_a_closed_guard_leaves_connections_alone(
    outlet: "zmq.Socket[bytes]", address: str, connections: Connections
) -> None:
    ended: queue.Queue[Connection] = queue.Queue()
    FloodGuard(outlet, connections, AT_ONCE, ended.put).close()
    with raw_socket(zmq.XSUB, address) as client, pytest.raises(queue.Empty):
        send(client, 40)
        ended.get(timeout=0.3)
