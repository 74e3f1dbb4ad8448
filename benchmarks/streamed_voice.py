"""`python -m benchmarks.streamed_voice`: does the audio process answer as `classify` does?

Plays clips of people unknown to the network into a null sink whose monitor is the
microphone, presses once for each, and compares every answer with `classify` on the same two
seconds as a file. The player begins when the recording is known to run, so the first tenths of a
second, which are before the speech, are silent in both: what had passed, and what the way from
player to microphone takes, measured with clicks. A sound server hands sound over in blocks, so
that a recording begins up to 0.08 s earlier or later than it is known to; the last tenth is silent
in both, too, and nothing that was played is cut off. Returns 1 where less than 95 % agree.
Needs RAVDESS and PulseAudio.
"""

import argparse
import fcntl
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.product import Product, services, settings
from edge.bus.messages import AudioMessage, HealthMessage, Message, Press, RecordingMessage
from edge.bus.pubsub import Publisher
from edge.config import AudioConfig, Config
from edge.devices.microphone.portaudio import DeviceMicrophone
from edge.devices.microphone.sound_file import read_sound
from edge.pipeline.voice import VoiceAnalyzer
from tests.support.null_sink import NullSink, missing, null_sink
from training.voice import data as voice_data
from training.voice.windows import SAMPLES, pressed

Signal = NDArray[np.float32]

PRESSES, MIN_SHARE = 40, 0.95
REST_S = 0.1
CLICKS, CLICK_EVERY_S, CLICK = 9, 0.5, 0.5
PIECE = voice_data.RATE_HZ // 50
PIPE_BYTES = 4096


class Player:
    """A program that plays without end, silence mostly, so that its delay is always the same."""

    def __init__(self, sink: NullSink) -> None:
        command = ["pacat", "--raw", f"--rate={voice_data.RATE_HZ}", "--channels=1"]
        command += ["--format=s16le", "--latency-msec=20"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, env=os.environ | sink.environment
        )
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._next: queue.Queue[Signal] = queue.Queue()
        self._over = False
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        silence = np.zeros(PIECE, np.float32)
        while not self._over:
            signal = silence if self._next.empty() else self._next.get()
            data = (signal * 32767).astype("<i2").tobytes()
            for start in range(0, len(data), 2 * PIECE):
                os.write(self._pipe, data[start : start + 2 * PIECE])

    def play(self, signal: Signal) -> None:
        """(n,) at 16 kHz, as soon as what is queued has been taken."""
        self._next.put(signal)

    def close(self) -> None:
        self._over = True
        self._thread.join()
        self._process.terminate()
        self._process.wait()


def delay_s(player: Player) -> float:
    """From `play` until a microphone has recorded it: the middle one of some clicks."""
    stream, found = DeviceMicrophone("auto").open(), []
    every = round(CLICK_EVERY_S * stream.rate_hz)
    try:
        stream.read(stream.rate_hz)
        for _ in range(CLICKS):
            played_s = time.monotonic()
            player.play(np.full(16, CLICK, np.float32))
            recorded = stream.read(every)
            if np.abs(recorded).max() < CLICK / 5:
                raise RuntimeError("a click was not recorded within half a second")
            begun_s = time.monotonic() - every / stream.rate_hz
            found.append(begun_s + float(np.abs(recorded).argmax()) / stream.rate_hz - played_s)
    finally:
        stream.close()
    return statistics.median(found)


def clips(data: Path) -> list[Signal]:
    """40 clips of actors 21-24, all emotions: two seconds each, the first 0.3 s before speech."""
    voices = voice_data.load(data, voice_data.TEST_ACTORS)
    windows = [pressed(clip) for clip in voices.clips]
    whole = [window for window in windows if len(window) == SAMPLES]
    return [whole[row] for row in np.linspace(0, len(whole) - 1, PRESSES).astype(int)]


def as_file(clip: Signal, path: Path) -> Path:
    soundfile.write(path, clip, voice_data.RATE_HZ)
    return path


def ready(topic: str, message: Message) -> bool:
    return topic == "health.audio" and isinstance(message, HealthMessage) and message.state == "ok"


def started(_: str, message: Message) -> bool:
    return isinstance(message, RecordingMessage) and message.phase == "recording"


def ended(_: str, message: Message) -> bool:
    return isinstance(message, AudioMessage)


def idle(_: str, message: Message) -> bool:
    return isinstance(message, RecordingMessage) and message.phase == "idle"


class Bench:
    """The audio process as systemd starts it, and a sound card that is none."""

    def __init__(self, product: Product, publisher: Publisher, player: Player) -> None:
        self.product, self.publisher, self.player = product, publisher, player
        self.delay_s = delay_s(player)

    def answer(self, window: Signal) -> tuple[str | None, Signal]:
        """The answer to these two seconds, played as it records, and what was played."""
        self.product.until(idle)
        press = Press(t_ns=time.monotonic_ns(), time=time.time(), trigger="command")
        self.publisher.publish("press", press)
        recording = self.product.until(started)
        assert isinstance(recording, RecordingMessage)
        begun_s = recording.t_ns / 1e9 - recording.elapsed_s
        passed_s = time.monotonic() - begun_s + self.delay_s
        passed = round(passed_s * voice_data.RATE_HZ)
        spoken = window[passed : -round(REST_S * voice_data.RATE_HZ)]
        self.player.play(spoken)
        message = self.product.until(ended)
        assert isinstance(message, AudioMessage)
        return message.emotion, np.pad(spoken, (passed, SAMPLES - passed - len(spoken)))


def compare(bench: Bench, config: Config, windows: list[Signal], folder: Path) -> int:
    """How many answers are the same; prints those that are not."""
    voice, agreed = VoiceAnalyzer.from_config(config.audio, config.threads), 0
    print(f"from player to microphone: {bench.delay_s * 1e3:.0f} ms", flush=True)
    for number, window in enumerate(windows):
        streamed, played = bench.answer(window)
        read = voice.analyze(*read_sound(as_file(played, folder / "played.wav"))).emotion
        agrees = read is not None and read == streamed
        agreed += agrees
        if not agrees:
            print(f"clip {number}: the file is {read}, the stream {streamed}", flush=True)
    return agreed


def measure(data: Path) -> int:
    config = settings(audio=AudioConfig(wait_s=0.0))
    windows = clips(data)
    with (
        null_sink() as sink,
        services(config, "hub", "gateway"),
        tempfile.TemporaryDirectory() as folder,
    ):
        os.environ.update(sink.environment)
        command = [sys.executable, "-m", "edge", "audio", "--config"]
        command.append(str(config.directory / "config.json"))
        player = Player(sink)
        process = subprocess.Popen(command)
        publisher = Publisher(config.endpoint("in"), config.device_name)
        try:
            product = Product(config, process)
            product.until(ready)
            return compare(Bench(product, publisher, player), config, windows, Path(folder))
        finally:
            publisher.close()
            player.close()
            process.terminate()
            process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("training/data/ravdess_16k"))
    data = parser.parse_args().data
    lacking = missing() or ("" if data.exists() else f"{data}: no such data")
    if lacking:
        raise SystemExit(lacking)
    agreed = measure(data)
    print(f"{agreed} of {PRESSES} presses gave the label that classify gives")
    return int(agreed < MIN_SHARE * PRESSES)


if __name__ == "__main__":
    sys.exit(main())
