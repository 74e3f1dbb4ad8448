import pytest
import zmq

from edge.bus import sockets
from edge.bus.sockets import BusError


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        ("tcp://127.0.0.1:99999", "last port is 65535"),
        ("ipc:///tmp/" + "x" * 150, "107 bytes"),
        ("nonsense", "no such kind of address"),
    ],
)
def test_an_endpoint_that_cannot_be_is_named_with_the_reason(endpoint: str, why: str) -> None:
    socket = sockets.make_socket(zmq.PUB)
    with pytest.raises(BusError, match=why) as caught:
        sockets.bind(socket, endpoint)
    socket.close()
    assert endpoint in str(caught.value)
