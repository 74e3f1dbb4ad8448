"""Messages that mean harm: of a program in the service's group, and of a device to its clients."""

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from edge.bus import messages, sockets
from edge.bus.messages import SERVICES, TOPICS
from edge.config import Config
from tests.conftest import Measured
from tests.support.harness import PATIENCE_S, ROOT, emotion_edge, free_port, publishing
from tests.support.messages import example
from tests.support.product import product, until_all_speak
from tests.support.remote import emotion
from tests.support.sizes import (
    FACES_AT_ONCE,
    INVENTED_DEVICES,
    LONG_MESSAGE_BYTES,
    LONGEST_S,
)

pytestmark = pytest.mark.timeout(LONGEST_S)
NASTY = "\x1b]0;title\x07\x1b[2J\u202e" + "\U0001f600" * 10
CLIENT_MB = 100
HUGE = (1e308, -1e308, 1e-300, 2**63 - 1, -1, 0, 1e5)
BROKEN = (
    b"",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"\xff" * 1000,
    b"9" * 200_000,
    b'{"t_ns":NaN}',
    b'{"t_ns":1e308}',
)


def forged(topic: str) -> Iterator[bytes]:
    """A right message with each field in turn made a hostile one, and what is no message."""
    right = msgspec.to_builtins(example(topic))
    yield from BROKEN
    for field, value in right.items():
        hostile: list[object] = [None, [], {}, NASTY, "", "W" * 300, [[]] * 1000, *HUGE]
        if isinstance(value, list) and value:
            hostile += [value * 64, [{}], [NASTY]]
        for other in hostile:
            changed = {**right, "t_ns": time.monotonic_ns(), "time": time.time(), field: other}
            with contextlib.suppress(OverflowError):
                yield msgspec.json.encode(changed)
    yield from nested(right)


def nested(right: dict[str, object]) -> Iterator[bytes]:
    """The same for what a face has."""
    for face in right.get("faces", ()):  # type: ignore[attr-defined]
        for field in face:
            for other in (None, NASTY, [], {}, {NASTY: 1.0}, [-1e5, -1e5, 1e5, 1e5], *HUGE):
                faces = [{**face, field: other}] * 64
                yield msgspec.json.encode({**right, "t_ns": time.monotonic_ns(), "faces": faces})


def send(inlet: str, parts: list[list[bytes]]) -> None:
    socket = sockets.make_socket(zmq.XPUB)
    sockets.connect(socket, inlet)
    assert socket.poll(int(PATIENCE_S * 1e3)), "no hub"
    for one in parts:
        socket.send_multipart(one)
        time.sleep(0.002)
    socket.close(linger=2000)


def test_forged_messages_of_a_local_program_restart_nothing(
    config: Config, tmp_path: Path, measured: Measured
) -> None:
    with product(config, "--screen", tmp_path / "screen.png") as running:
        until_all_speak(running)
        pids = {name: running.pid(name) for name in SERVICES}
        sent = [[t.encode(), m] for t in TOPICS if t != "press" for m in forged(t)]
        odd = [[b"face"], [b"face", b"{}", b"x"], [b"x"] * 200, [b"\xff\xfe", b"{}"], [b"", b""]]
        send(config.endpoint("in"), [*sent, *odd])
        with publishing(config) as publisher:
            face = msgspec.structs.replace(example("face"), t_ns=time.monotonic_ns())
            for _ in range(FACES_AT_ONCE):
                publisher.publish("face", face)
        with emotion_edge("watch", config.endpoint("out"), "--count", "50") as watching:
            shown, _ = watching.communicate(timeout=60)
        until_all_speak(running)
        restarted = [name for name in SERVICES if running.pid(name) != pids[name]]
        assert running.end()[0] == 0
    what = f"{len(sent) + len(odd)} forged local messages, {FACES_AT_ONCE} `face` at once"
    measured(f"{what}: processes that were started again", len(restarted), 0, "")
    assert all(line.isprintable() for line in shown.splitlines())
    assert not re.search(r"\bnan\b|\binf\b", shown)


WATCH = """
import sys
from pathlib import Path
from edge.client import Subscription
with Subscription(sys.argv[1], [""]) as device:
    print("begins", flush=True)
    while "end" not in device.offsets:
        device.wait(0.2)
peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(int(peak) / 1e3, len(device.offsets))
"""


@contextlib.contextmanager
def watching_device() -> Iterator[tuple["zmq.Socket[bytes]", "subprocess.Popen[str]"]]:
    """A hostile device's socket, and a program that subscribes to it until `end` publishes."""
    address = f"tcp://127.0.0.1:{free_port()}"
    with (
        contextlib.closing(sockets.make_socket(zmq.XPUB)) as device,
        subprocess.Popen(
            [sys.executable, "-c", WATCH, address], cwd=ROOT, text=True, stdout=subprocess.PIPE
        ) as client,
    ):
        device.sndhwm = 0
        device.bind(address)
        assert client.stdout is not None and client.stdout.readline() == "begins\n"
        assert device.poll(int(PATIENCE_S * 1e3))
        yield device, client
        client.kill()


def result(device: "zmq.Socket[bytes]", client: "subprocess.Popen[str]") -> tuple[float, int]:
    """(peak of the client's memory in MB, devices that it remembers)"""
    last = [b"emotion", messages.encode(msgspec.structs.replace(emotion(), device="end"))]
    while client.poll() is None:
        device.send_multipart(last)
        time.sleep(0.1)
    assert client.stdout is not None
    mb, devices = client.stdout.read().split()
    return float(mb), int(devices)


def test_a_message_without_an_end_is_not_taken(measured: Measured) -> None:
    with watching_device() as (device, client):
        device.send_multipart([b"emotion", bytes(LONG_MESSAGE_BYTES)])
        mb, _ = result(device, client)
    what = f"a message of {LONG_MESSAGE_BYTES / 1e6:.0f} MB: memory of its client"
    measured(what, mb, CLIENT_MB, "MB")


def test_invented_devices_are_forgotten(measured: Measured) -> None:
    with watching_device() as (device, client):
        for number in range(INVENTED_DEVICES):
            body = msgspec.structs.replace(emotion(), device=f"device-{number}")
            device.send_multipart([b"emotion", messages.encode(body)])
        mb, devices = result(device, client)
    measured(f"{INVENTED_DEVICES} invented devices: remembered", devices, 1000, "")
    measured(f"{INVENTED_DEVICES} invented devices: memory of the client", mb, CLIENT_MB, "MB")
