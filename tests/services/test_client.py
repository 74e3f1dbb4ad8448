import asyncio
import contextlib
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import zmq

from edge.bus import messages, sockets
from edge.bus.keys import KeysError
from edge.bus.messages import Emotion, HealthMessage, Message
from edge.bus.sockets import BusError
from edge.client import Received, SilentError, StaleError, Subscription, subscribe, subscribe_async
from edge.config import BusConfig, Config
from tests.support.harness import PATIENCE_S, ROOT, free_port, publishing, with_endpoints
from tests.support.remote import add_key, emotion, next_received, remote_address, with_remote

ONLY = {"numpy", "cv2", "scipy", "soundfile", "PIL", "gpiozero", "pyaudio", "zeroconf"}


def test_a_subscriber_gets_the_topics_that_it_asked_for(with_gateway: Config) -> None:
    with publishing(with_gateway) as publisher:
        sent = publisher.publish("emotion", emotion())
        message = next(subscribe(with_gateway.gateway.local, ["emotion"], timeout_s=10))
    assert message == sent


def test_an_asynchronous_subscriber_gets_the_same(config: Config) -> None:
    config = with_remote(config)
    key = add_key(config, "robot")

    async def take(count: int) -> list[Message]:
        messages = subscribe_async(remote_address(config), ["health.hub"], key, PATIENCE_S)
        async with contextlib.aclosing(messages):
            return [await anext(messages) for _ in range(count)]

    async def twice() -> list[Message]:
        """The second subscriber may have the first one's descriptor."""
        return [*await take(2), *await take(1)]

    with with_endpoints(config):
        said = asyncio.run(twice())
    assert all(isinstance(message, HealthMessage) for message in said)
    assert said[0].seq < said[1].seq <= said[2].seq


def test_a_device_that_is_not_there_is_stale() -> None:
    nobody = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(StaleError, match="nothing came from"):
        next(subscribe(nobody, timeout_s=0.1))


def test_a_device_that_has_nothing_to_say_is_silent_and_not_stale(with_gateway: Config) -> None:
    with pytest.raises(
        SilentError, match=r"published nothing on emotion for 1.5 s \(gateway ok, hub ok\)"
    ):
        next(subscribe(with_gateway.gateway.local, ["emotion"], timeout_s=1.5))


def test_a_subscriber_says_that_it_was_stale_and_goes_on_when_the_hub_is_back(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    with Subscription(config.gateway.local) as device:
        with with_endpoints(config):
            next_received(device, "health.hub")
            assert not device.stale
        deadline_s = time.monotonic() + PATIENCE_S
        while not device.stale and time.monotonic() < deadline_s:
            device.wait(0.1)
        assert device.stale and "earlier messages are stale" in caplog.text
        with with_endpoints(config):
            next_received(device, "health.hub")
        assert not device.stale and "back after" in caplog.text


def test_what_cannot_be_read_is_counted_and_said_once(
    config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    device = sockets.make_socket(zmq.XPUB)
    device.bind(config.gateway.local)
    with Subscription(config.gateway.local, ["emotion"]) as subscriber:
        assert device.poll(5000)
        for body in (b"{}", b"\xff", messages.encode(emotion())):
            device.send_multipart([b"emotion", body])
        next_received(subscriber, "emotion")
        assert subscriber.bad == 2
    device.close()
    assert caplog.text.count("ignored a bad message: emotion: ") == 1


def test_a_reader_that_is_in_time_gets_everything_and_a_late_one_the_newest(
    with_gateway: Config,
) -> None:
    with (
        publishing(with_gateway) as publisher,
        Subscription(with_gateway.gateway.local, ["emotion"]) as device,
    ):
        publisher.publish("emotion", emotion("sad"))
        next_received(device, "emotion")
        for delay_s, expected in ((0.0, ["calm", "angry", "happy"]), (0.6, ["happy"])):
            for label in ("calm", "angry", "happy"):
                publisher.publish("emotion", emotion(label))
            time.sleep(delay_s)
            taken = []
            while "happy" not in taken:
                taken += [received.message.emotion for received in device.wait(5.0)]
            assert taken == expected


def test_a_message_of_more_than_1_mb_is_refused_and_the_next_one_is_received() -> None:
    with (
        contextlib.closing(sockets.make_socket(zmq.XPUB)) as device,
        Subscription(address := f"tcp://127.0.0.1:{free_port()}", ["emotion"]) as client,
    ):
        device.bind(address)
        device.poll(int(PATIENCE_S * 1e3))
        device.send_multipart([b"emotion", b"x" * 2_000_000])
        deadline_s = time.monotonic() + PATIENCE_S
        received: list[Received] = []
        while not received and time.monotonic() < deadline_s:
            device.send_multipart([b"emotion", messages.encode(emotion())])
            received = client.wait(0.1)
        assert received and client.bad == 0


def test_at_most_1000_devices_are_remembered() -> None:
    with (
        contextlib.closing(sockets.make_socket(zmq.XPUB)) as device,
        Subscription(address := f"tcp://127.0.0.1:{free_port()}", ["emotion"]) as client,
    ):
        device.bind(address)
        device.poll(int(PATIENCE_S * 1e3))
        for number in range(1_100):
            body = msgspec.structs.replace(emotion(), device=f"d{number}")
            device.send_multipart([b"emotion", messages.encode(body)])
            if number % 100 == 0:
                client.wait(0.1)
        while client.wait(0.5):
            pass
        assert len(client.offsets) == 1_000
        assert "d1099" in client.offsets


def test_two_devices_are_told_apart(config: Config, directory: Path) -> None:
    bus = BusConfig(directory=str(directory / "other"))
    kitchen = with_remote(msgspec.structs.replace(config, device="kitchen"))
    cellar = with_remote(msgspec.structs.replace(config, device="cellar", bus=bus))
    with (
        with_endpoints(kitchen),
        with_endpoints(cellar),
        publishing(kitchen) as first,
        publishing(cellar) as second,
        Subscription(remote_address(kitchen), ["emotion"], add_key(kitchen, "wall")) as both,
    ):
        both.connect(remote_address(cellar), add_key(cellar, "wall"))
        first.publish("emotion", emotion("happy"))
        second.publish("emotion", emotion("sad"))
        said: dict[str, str] = {}
        deadline_s = time.monotonic() + PATIENCE_S
        while len(said) < 2 and time.monotonic() < deadline_s:
            for received in both.wait(0.1):
                assert isinstance(received.message, Emotion)
                said[received.message.device] = received.message.emotion
    assert said == {"kitchen": "happy", "cellar": "sad"}


def test_an_age_is_told_by_the_subscribers_own_clock(config: Config) -> None:
    """The device's clock is an hour behind; its message is 0.3 s old."""
    behind_s = 3600.0
    with (
        with_endpoints(config),
        publishing(msgspec.structs.replace(config, device="behind")) as publisher,
        Subscription(config.gateway.local, ["emotion"]) as device,
    ):
        now = {"t_ns": time.monotonic_ns() - 300_000_000, "time": time.time() - behind_s - 0.3}
        publisher.publish("emotion", msgspec.structs.replace(emotion(), **now))
        received = next_received(device, "emotion")
    assert device.offsets["behind"].seconds == pytest.approx(behind_s, abs=0.1)
    assert received.age_s == pytest.approx(0.3, abs=0.1)


def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(BusError, match="nonsense"):
        next(subscribe("nonsense"))


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "laptop.key"
    with pytest.raises(KeysError, match=r"laptop\.key: No such file"):
        next(subscribe(key=file))
    file.write_text("hello")
    with pytest.raises(KeysError, match=r"laptop\.key: no subscriber's key; .*keys add NAME"):
        next(subscribe(key=file))


def test_a_subscriber_needs_pyzmq_and_msgspec_only() -> None:
    code = "import edge.client, sys; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    assert {"zmq", "msgspec"} <= loaded
    assert not loaded & ONLY


def test_watch_needs_nothing_that_only_unix_has(with_gateway: Config) -> None:
    """Windows has no fcntl, no resource, no os.getuid and no AF_UNIX."""
    code = f"""
import asyncio, os, socket, sys  # asyncio looks for what only Unix has when it is imported
for name in ("fcntl", "resource", "pwd", "grp", "termios", "numpy", "cv2", "zeroconf"):
    sys.modules[name] = None
del os.getuid, os.geteuid, os.sysconf, socket.AF_UNIX
from edge.commands.main import main
sys.exit(main(["watch", {with_gateway.gateway.local!r}, "--count", "1"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "health." in done.stdout


def test_the_readmes_five_lines_receive(with_gateway: Config) -> None:
    text = (ROOT / "README.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0]
    assert "tcp://127.0.0.1:5556" in code
    code = code.replace("tcp://127.0.0.1:5556", with_gateway.gateway.local)
    process = subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True)
    with process, publishing(with_gateway) as publisher:
        publisher.publish("emotion", emotion())
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
    assert line.startswith('emotion {"type":"emotion"')


def test_the_readmes_client_receives_with_a_key(config: Config) -> None:
    config = with_remote(config)
    key = add_key(config, "laptop")
    code = (ROOT / "README.md").read_text().partition("```py\n")[2].partition("```")[0]
    assert "tcp://kitchen.local:5557" in code and '"laptop.key"' in code
    code = code.replace("tcp://kitchen.local:5557", remote_address(config)).replace(
        "laptop.key", str(key)
    )
    with (
        with_endpoints(config),
        subprocess.Popen(
            [sys.executable, "-uc", code], stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as process,
        publishing(config) as publisher,
    ):
        publisher.publish("emotion", emotion())
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
    assert line == "test happy 0.9\n"
