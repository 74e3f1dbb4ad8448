"""The whole product as a person starts it: `emotion-edge run` and its six processes."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from edge.bus.messages import SERVICES
from edge.config import Config
from edge.config.file import with_overrides
from tests.support.harness import PATIENCE_S, Listener, emotion_edge, listening, write_config

START_S = 60.0
"""Six processes on a busy machine; the figure that is promised stands in the benchmarks."""


class Product:
    """A running `emotion-edge run`, and a listener at its local bus."""

    def __init__(
        self, process: "subprocess.Popen[str]", config: Config, listener: Listener
    ) -> None:
        self.process = process
        self.config = config
        self.listener = listener

    def pid(self, name: str) -> int:
        """The process id of a service, by the lock that it holds."""
        return int((self.config.directory / f"{name}.lock").read_text())

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Stop it as Ctrl-C does; (exit code, what it wrote to stderr)."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, errors


@contextlib.contextmanager
def product(config: Config, *arguments: str | Path, **options: object) -> Iterator[Product]:
    """`emotion-edge run` on the demo, without a screen, until the block ends."""
    config = with_overrides(config, {"camera.source": "demo", "display.screen": "none"})
    file = write_config(config, config.directory / "config.json")
    with (
        listening(config.endpoint("out")) as listener,
        emotion_edge("run", "--config", file, *arguments, **options) as process,
    ):
        try:
            yield Product(process, config, listener)
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=PATIENCE_S)


def until_all_speak(product: Product) -> None:
    """Wait until every process has published."""
    missing = {f"health.{name}" for name in SERVICES} | {"face", "emotion"}

    def received(topic: str, _: object) -> bool:
        missing.discard(topic)
        return not missing

    product.listener.until(received, START_S)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
