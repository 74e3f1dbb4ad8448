"""A microphone without a sound card: a private PulseAudio daemon whose null sink can be recorded.

ALSA's `default`, which PortAudio opens, is made PulseAudio's by the client's environment alone.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SINK = "tests"
RATE_HZ = 48_000
NULL_SINK = ("module-null-sink", f"sink_name={SINK}", f"rate={RATE_HZ}")
PATIENCE_S = 15.0
ALSA_SETTINGS = """\
pcm.!default { type pulse }
ctl.!default { type pulse }
"""


def missing() -> str:
    """What this machine lacks for it, or nothing."""
    tools = [tool for tool in ("pulseaudio", "pactl", "paplay") if not shutil.which(tool)]
    if tools:
        return f"no {' or '.join(tools)}; apt install pulseaudio pulseaudio-utils"
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        return "no PulseAudio plugin for ALSA; apt install libasound2-plugins"
    return ""


class NullSink:
    """What is played into it is recorded by a client with its environment."""

    def __init__(self, directory: Path) -> None:
        """`directory`: an empty folder with a short path."""
        alsa = directory / "asound.conf"
        alsa.write_text(ALSA_SETTINGS)
        self.environment = {
            "PULSE_SERVER": f"unix:{directory / 'socket'}",
            "PULSE_SOURCE": f"{SINK}.monitor",
            "PULSE_SINK": SINK,
            "PULSE_LATENCY_MSEC": "20",
            "ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{alsa}",
            "PULSE_COOKIE": str(directory / "cookie"),
        }
        self._all = os.environ | self.environment
        self.log = directory / "log"
        self._daemon = subprocess.Popen(
            [
                "pulseaudio",
                "-n",
                "--daemonize=no",
                "--exit-idle-time=-1",
                "--use-pid-file=no",
                f"--log-target=file:{self.log}",
                f"--load={' '.join(NULL_SINK)}",
                f"--load=module-native-protocol-unix socket={directory}/socket auth-anonymous=1",
            ],
            env=self._all | {"HOME": str(directory), "PULSE_RUNTIME_PATH": str(directory / "run")},
        )

    def wait_until_it_serves(self) -> None:
        """`pactl` waits by itself as soon as the socket is there; until then the daemon starts."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self._pactl("info").returncode:
            if self._daemon.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"pulseaudio does not start: {self.log.read_text()}")
            time.sleep(0.05)

    @contextlib.contextmanager
    def playing(self, path: Path) -> Iterator[None]:
        """Play a sound file into it, in real time."""
        player = subprocess.Popen(["paplay", str(path)], env=self._all)
        try:
            yield
        finally:
            player.terminate()
            player.wait(PATIENCE_S)

    def fall_silent(self) -> None:
        """No sample comes any more, not even of silence."""
        self._pactl("suspend-sink", SINK, "1").check_returncode()

    def speak_again(self) -> None:
        self._pactl("suspend-sink", SINK, "0").check_returncode()

    def unplug(self) -> None:
        """The microphone is gone, for those that listen too."""
        self._pactl("unload-module", "module-null-sink").check_returncode()

    def plug_in(self) -> None:
        self._pactl("load-module", *NULL_SINK).check_returncode()

    def listeners(self) -> int:
        """How many programs have the microphone open."""
        return len(self._pactl("list", "short", "source-outputs").stdout.splitlines())

    def wait_for_listeners(self, count: int) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while self.listeners() != count:
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{self.listeners()} listeners instead of {count}")

    def _pactl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["pactl", *arguments], env=self._all, capture_output=True, text=True, check=False
        )

    def end(self) -> None:
        """End the daemon."""
        self._daemon.terminate()
        self._daemon.wait(PATIENCE_S)


@contextlib.contextmanager
def null_sink() -> Iterator[NullSink]:
    """A daemon of its own for each test."""
    with tempfile.TemporaryDirectory(prefix="ee-") as directory:
        sink = NullSink(Path(directory))
        try:
            sink.wait_until_it_serves()
            yield sink
        finally:
            sink.end()
