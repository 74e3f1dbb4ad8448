"""A running product to measure: `emotion-edge run` in a folder of its own."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import msgspec

from edge.bus.messages import SERVICES, Message
from edge.bus.pubsub import Subscriber
from edge.config import BusConfig, Config, GatewayConfig

START_S = 60.0


class Product:
    """The supervisor's process, and a subscriber of the local bus."""

    def __init__(self, config: Config, process: "subprocess.Popen[bytes]") -> None:
        self.config = config
        self.process = process
        self.started_s = time.monotonic()
        self.subscriber = Subscriber(config.endpoint("out"), [""])

    def pid(self, name: str) -> int:
        """A service's process id, by the lock that it holds."""
        return int((self.config.directory / f"{name}.lock").read_text())

    def pids(self) -> dict[str, int]:
        return {name: self.pid(name) for name in SERVICES}

    def until(self, wanted: Callable[[str, Message], bool], timeout_s: float = START_S) -> Message:
        """The first message that is wanted. Raises TimeoutError."""
        for topic, message in self.during(timeout_s):
            if wanted(topic, message):
                return message
        raise TimeoutError(f"not received in {timeout_s:g} s")

    def during(self, duration_s: float) -> Iterator[tuple[str, Message]]:
        """Everything that is published in the next `duration_s`."""
        end_s = time.monotonic() + duration_s
        while (left_s := end_s - time.monotonic()) > 0:
            if self.subscriber.socket.poll(int(left_s * 1e3) + 1):
                yield from self.subscriber.receive()


def settings(**tables: object) -> Config:
    """The defaults on the demo, in a new folder, with no endpoint for others."""
    bus = BusConfig(directory=tempfile.mkdtemp(prefix="ee-bench-"))
    config = Config(device="bench", bus=bus, gateway=GatewayConfig(local=""))
    return msgspec.structs.replace(config, **tables)


@contextlib.contextmanager
def running(config: Config, *arguments: str) -> Iterator[Product]:
    """Start it, and end it with the block."""
    file = config.directory / "config.json"
    file.write_bytes(msgspec.json.encode(config))
    command = [sys.executable, "-m", "edge", "run", "--config", str(file), *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    product = Product(config, process)
    try:
        yield product
    finally:
        process.terminate()
        process.communicate(timeout=20)
        product.subscriber.close()
        shutil.rmtree(config.directory, ignore_errors=True)


@contextlib.contextmanager
def services(config: Config, *names: str) -> Iterator[None]:
    """These alone, as processes."""
    file = config.directory / "config.json"
    file.write_bytes(msgspec.json.encode(config))
    command = [sys.executable, "-m", "edge"]
    processes = [subprocess.Popen([*command, name, "--config", str(file)]) for name in names]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.wait()
        shutil.rmtree(config.directory, ignore_errors=True)


@contextlib.contextmanager
def a_desktop(width: int = 1280, height: int = 1024, manager: str = "") -> Iterator[bool]:
    """A display to open a window on: Xvfb's, or where only any will do the user's.

    `manager`: a window manager, which a full screen needs. False where there is none of this.
    """
    if os.environ.get("DISPLAY") and not manager:
        yield True
        return
    server = shutil.which("Xvfb")
    if server is None or (manager and shutil.which(manager) is None):
        yield False
        return
    read, write = os.pipe()
    command = [server, "-displayfd", str(write), "-screen", "0", f"{width}x{height}x24"]
    processes = [subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)]
    os.close(write)
    with os.fdopen(read) as pipe:
        os.environ["DISPLAY"] = f":{pipe.readline().strip()}"
    try:
        if manager:
            processes.append(subprocess.Popen([manager], stderr=subprocess.DEVNULL))
        yield True
    finally:
        del os.environ["DISPLAY"]
        for process in reversed(processes):
            process.terminate()
            process.wait()
