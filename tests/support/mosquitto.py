"""A real Mosquitto, and a client that keeps what it receives."""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from edge.config import Config, MqttConfig
from tests.support.harness import PATIENCE_S, free_port, wait_for

MOSQUITTO = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None, reason="no mosquitto here: apt-get install mosquitto"
)


class Mosquitto:
    """It keeps nothing on the disk: a restart has lost all that was retained."""

    def __init__(self, folder: Path, settings: str = "", host: str = "127.0.0.1") -> None:
        """`settings`: lines for mosquitto.conf(5), beside the listener."""
        self.host, self.port = host, free_port()
        self._file = folder / f"mosquitto-{self.port}.conf"
        anonymous = "" if "allow_anonymous" in settings else "allow_anonymous true\n"
        self._file.write_text(
            f"listener {self.port} {host}\n{anonymous}persistence false\nuser root\n{settings}"
        )
        self.prefix: list[str] = []
        """What the command is started with, to be on another host."""
        self.local = ""
        """A socket of its own for clients of this host."""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        command = [*self.prefix, MOSQUITTO, "-c", str(self._file)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if not self.prefix:  # else it listens where we are not
            wait_for(self.is_listening, "mosquitto listens")

    def is_listening(self) -> bool:
        assert self.process is not None and self.process.poll() is None, "mosquitto ended"
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        """As a power cut does."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE_S)
            self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()


@contextlib.contextmanager
def mosquitto(folder: Path, settings: str = "") -> Iterator[Mosquitto]:
    broker = Mosquitto(folder, settings)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextlib.contextmanager
def guarded(folder: Path, users: Mapping[str, str], acl: Path | None = None) -> Iterator[Mosquitto]:
    """A broker that knows these users, {name: password}, and what they may."""
    known = folder / "users"
    known.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
    passwd = shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd"
    subprocess.run([passwd, "-U", known], check=True, capture_output=True)
    settings = f"allow_anonymous false\npassword_file {known}\n"
    if acl is not None:
        (folder / "acl").write_text(acl.read_text())
        settings += f"acl_file {folder}/acl\n"
    with mosquitto(folder, settings) as broker:
        yield broker


def password_file(folder: Path, text: str, mode: int = 0o640) -> str:
    path = folder / "password"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


class Received:
    """One message: what it says, and when it came."""

    def __init__(self, topic: str, payload: bytes, retained: bool) -> None:
        self.topic, self.payload, self.retained = topic, payload, retained
        self.at_s = time.monotonic()

    @property
    def text(self) -> str:
        return self.payload.decode()

    def __getitem__(self, key: str) -> object:
        return msgspec.json.decode(self.payload)[key]


class Client:
    """Subscribes to everything, from now on and across restarts of the broker."""

    def __init__(
        self, broker: Mosquitto, topic: str = "#", user: str = "", password: str = ""
    ) -> None:
        import paho.mqtt.client as paho

        self.received: list[Received] = []
        transport = "unix" if broker.local else "tcp"
        self._paho = paho.Client(paho.CallbackAPIVersion.VERSION2, transport=transport)
        if user:
            self._paho.username_pw_set(user, password)
        self._paho.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._paho.on_message = lambda _, __, m: self.received.append(
            Received(m.topic, m.payload, m.retain)
        )
        subscribed: list[object] = []
        self._paho.on_subscribe = lambda *_: subscribed.append(None)
        self._paho.reconnect_delay_set(1, 1)
        self._paho.connect(broker.local or broker.host, broker.port)
        self._paho.loop_start()
        wait_for(lambda: bool(subscribed), "subscribed")

    def publish(self, topic: str, payload: bytes, retain: bool = False, qos: int = 1) -> None:
        sent = self._paho.publish(topic, payload, qos, retain)
        sent.wait_for_publish(PATIENCE_S)

    def on(self, topic: str) -> list[Received]:
        """What came on a topic, by its end."""
        return [one for one in list(self.received) if one.topic.endswith(topic)]

    def until(
        self,
        topic: str,
        wanted: Callable[[Received], bool] = lambda _: True,
        since: int = 0,
        timeout_s: float = PATIENCE_S,
    ) -> Received:
        """The first message on a topic that is wanted. `since`: of those after so many of all."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            for one in self.received[since:]:
                if one.topic.endswith(topic) and wanted(one):
                    return one
            time.sleep(0.01)
        pytest.fail(f"no such {topic} in {timeout_s} s; {[r.topic for r in self.received[-20:]]}")

    def close(self) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()


@contextlib.contextmanager
def client(
    broker: Mosquitto, topic: str = "#", user: str = "", password: str = ""
) -> Iterator[Client]:
    made = Client(broker, topic, user, password)
    try:
        yield made
    finally:
        made.close()


def with_broker(config: Config, served: Mosquitto, **settings: object) -> Config:
    """The settings with this broker, and others of `[mqtt]`."""
    mqtt = {"broker": f"mqtt://{served.host}:{served.port}", **settings}
    return msgspec.structs.replace(config, mqtt=msgspec.convert(mqtt, MqttConfig))
