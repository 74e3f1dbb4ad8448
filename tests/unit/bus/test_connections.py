import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from edge.bus import sockets
from edge.bus.connections import HOST_ITSELF, Connection, Connections, surplus
from tests.support.harness import free_port, wait_for
from tests.support.remote import raw_socket


@pytest.fixture(params=["tcp", "ipc"])
def outlet(request: pytest.FixtureRequest, directory: Path) -> Iterator["zmq.Socket[bytes]"]:
    with contextlib.closing(sockets.make_socket(zmq.XPUB)) as socket:
        tcp = f"tcp://127.0.0.1:{free_port()}"
        sockets.bind(socket, tcp if request.param == "tcp" else f"ipc://{directory}/out")
        yield socket


def next_request(outlet: "zmq.Socket[bytes]") -> sockets.SubscriptionRequest:
    assert outlet.poll(5000)
    return next(sockets.requests(outlet))


def test_one_client_is_disconnected_and_the_other_one_stays(outlet: "zmq.Socket[bytes]") -> None:
    address = outlet.get_string(zmq.LAST_ENDPOINT)
    connections = Connections(address)
    with raw_socket(zmq.XSUB, address) as leaves, raw_socket(zmq.XSUB, address) as stays:
        leaves.reconnect_ivl = -1
        leaves.send(b"\x01leaves")
        request = next_request(outlet)
        connection = connections.find(request.descriptor)
        assert connection is not None
        stays.send(b"\x01stays")
        assert next_request(outlet).prefix == b"stays"
        assert len(connections.open()) == 2
        connections.close(connection)
        wait_for(lambda: connection not in connections.open(), "it is disconnected")
        outlet.send(b"stays")
        assert stays.poll(5000)


def test_what_a_client_has_sent_is_counted() -> None:
    with contextlib.closing(sockets.make_socket(zmq.XPUB)) as outlet:
        sockets.bind(outlet, address := f"tcp://127.0.0.1:{free_port()}")
        connections = Connections(address)
        with raw_socket(zmq.XSUB, address) as client:
            client.send(b"\x01" + b"x" * 1000)
            connection = connections.find(next_request(outlet).descriptor)
            assert connection is not None and connection.address == HOST_ITSELF
            assert connections.received_bytes(connection) > 1000


def test_other_descriptors_are_no_connections() -> None:
    connections = Connections("tcp://127.0.0.1:5556")
    read, write = os.pipe()
    assert [connections.find(number) for number in (-1, 0, read, write, 9999)] == [None] * 5
    os.close(read)
    os.close(write)


def test_the_first_ones_of_each_address_stay() -> None:
    first = [Connection("10.0.0.1", port, port) for port in (1, 2, 3)]
    second = [Connection("10.0.0.2", port, port) for port in (4, 5)]
    assert list(surplus([*first, *second], 2)) == [first[2]]
