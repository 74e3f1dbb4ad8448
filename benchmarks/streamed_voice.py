"""`python -m benchmarks.streamed_voice`: does the audio process hear what `classify` reads?

Plays clips of people whom the network has never heard into a null sink whose monitor is the
microphone, presses once for each, and compares every answer with `classify` on the same two
seconds as a file. Returns 1 where less than 95 % agree. Needs RAVDESS and PulseAudio.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.product import Product, a_hub, settings
from edge.bus import Publisher
from edge.classify import Files, SoundResult
from edge.config import Config
from edge.messages import Audio, Health, Message, Press, Recording
from tests.null_sink import NullSink, missing, null_sink
from training import voice_data
from training.voice_windows import SAMPLES, pressed

Signal = NDArray[np.float32]

PRESSES, LEAST_SHARE = 40, 0.95
# The player starts when the recording does; so much of the recording has passed when it is heard.
LATE_S = 0.25


def clips(data: Path) -> list[Signal]:
    """40 clips of actors 21-24, all emotions: two seconds each, the first 0.3 s before speech."""
    voices = voice_data.load(data, voice_data.TEST_ACTORS)
    windows = [pressed(clip) for clip in voices.clips]
    whole = [window for window in windows if len(window) == SAMPLES]
    return [whole[row] for row in np.linspace(0, len(whole) - 1, PRESSES).astype(int)]


def as_file(clip: Signal, path: Path) -> Path:
    soundfile.write(path, clip, voice_data.RATE_HZ)
    return path


def result_of(files: Files, path: Path) -> str | None:
    result = files.read(path)
    assert isinstance(result, SoundResult)
    return result.emotion


def ready(topic: str, message: Message) -> bool:
    return topic == "health.audio" and isinstance(message, Health) and message.state == "ok"


def started(_: str, message: Message) -> bool:
    return isinstance(message, Recording) and message.phase == "recording"


def ended(_: str, message: Message) -> bool:
    return isinstance(message, Audio)


def idle(_: str, message: Message) -> bool:
    return isinstance(message, Recording) and message.phase == "idle"


class Bench:
    """The audio process as systemd starts it, and a sound card that is none."""

    def __init__(self, product: Product, publisher: Publisher, sink: NullSink) -> None:
        self.product, self.publisher, self.sink = product, publisher, sink

    def answer(self, path: Path) -> str | None:
        """What the process says of this file, played as it records."""
        self.product.until(idle)
        press = Press(t_ns=time.monotonic_ns(), time=time.time(), trigger="command")
        self.publisher.publish("press", press)
        self.product.until(started)
        with self.sink.playing(path):
            message = self.product.until(ended)
        assert isinstance(message, Audio)
        return message.emotion


def compare(bench: Bench, config: Config, windows: list[Signal], folder: Path) -> int:
    """How many answers are the same; prints those that are not."""
    files, agreed = Files(config), 0
    for number, window in enumerate(windows):
        read = result_of(files, as_file(window, folder / "whole.wav"))
        late = window[round(LATE_S * voice_data.RATE_HZ) :]
        heard = bench.answer(as_file(late, folder / "late.wav"))
        agreed += read == heard
        if read != heard:
            print(f"clip {number}: the file is {read}, the stream {heard}", flush=True)
    return agreed


def measure(data: Path) -> int:
    config = settings()
    config = msgspec.structs.replace(config, audio=msgspec.structs.replace(config.audio, window=1))
    windows = clips(data)
    with null_sink() as sink, a_hub(config), tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "edge", "audio", "--config"]
        command.append(str(config.directory / "config.json"))
        process = subprocess.Popen(command, env=os.environ | sink.environment)
        publisher = Publisher(config.endpoint("in"), config.device_name)
        try:
            product = Product(config, process)  # type: ignore[arg-type]
            product.until(ready)
            return compare(Bench(product, publisher, sink), config, windows, Path(folder))
        finally:
            publisher.close()
            process.terminate()
            process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ravdess_16k"))
    data = parser.parse_args().data
    lacking = missing() or ("" if data.exists() else f"{data}: no such data")
    if lacking:
        raise SystemExit(lacking)
    agreed = measure(data)
    print(f"{agreed} of {PRESSES} presses gave the label that classify gives")
    return int(agreed < LEAST_SHARE * PRESSES)


if __name__ == "__main__":
    sys.exit(main())
