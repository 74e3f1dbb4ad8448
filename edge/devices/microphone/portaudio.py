"""The microphone: a PyAudio device, or a sound file played in real time in its place.

Knows no messages and nothing of speech. A microphone is open only between `open()` and `close()`;
both may block, as may `read()`, so they belong in a thread, and always in the same one.
"""

import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edge.devices.microphone import is_sound_file
from edge.devices.microphone.sound_file import SoundError, SoundFile
from edge.runtime.process import quiet_stderr
from edge.types import Signal

RATES_HZ = (48_000, 44_100, 16_000)
"""Tried in this order after the rate that the device itself prefers."""
FULL_SCALE = 32_768
BUFFERS_PER_S = 50
"""The driver delivers sound in buffers of 20 ms."""
POLL_S = 0.005
READ_TIMEOUT_S = 0.8
"""A device that delivers no sample for this long counts as lost."""
START_TIMEOUT_S = 3.0
"""For its first sample it has longer: a sound server may have to wake it."""
BUSY = -9985  # paDeviceUnavailable, portaudio.h


class MicrophoneError(OSError):
    """A microphone that is missing, lost, busy or not permitted: one line, with the fix."""


class Stream(Protocol):
    """An open microphone."""

    @property
    def rate_hz(self) -> int: ...

    def read(self, samples: int) -> Signal:
        """Wait for exactly the next `samples`, (samples,) float32. Raises MicrophoneError."""

    def close(self) -> None: ...


class Microphone(Protocol):
    """A microphone that can be opened again and again."""

    @property
    def about(self) -> str:
        """What it is, in words."""

    def open(self) -> Stream:
        """Start capturing. Raises MicrophoneError."""


def make_microphone(source: str) -> Microphone:
    """`source`: auto, a part of a device's name, its index, or a sound file.

    A device is looked for when it is opened, so that one plugged in later is found.
    Raises SoundError for a file that cannot be played.
    """
    return FileMicrophone(Path(source)) if is_sound_file(source) else DeviceMicrophone(source)


def find_microphone(source: str = "auto") -> str:
    """The microphone that `source` means now, in words. Raises MicrophoneError, SoundError."""
    microphone = make_microphone(source)
    if not isinstance(microphone, DeviceMicrophone):
        return microphone.about
    try:
        return str(microphone.find()["name"])
    finally:
        microphone.close_portaudio()


class FileMicrophone:
    """A sound file as microphone: each opening plays it from its start, then silence."""

    def __init__(self, path: Path) -> None:
        """Raises SoundError."""
        self._path = path
        with closing(SoundFile(path)) as file:
            next(file.seconds())
        self.about = f"{path.name} as microphone"

    def open(self) -> Stream:
        try:
            return FileStream(SoundFile(self._path))
        except SoundError as error:
            raise MicrophoneError(str(error)) from error


class FileStream:
    """Plays a file at its own rate."""

    def __init__(self, file: SoundFile) -> None:
        self.rate_hz = file.rate_hz
        self._file = file
        self._position = 0
        self._started_s = time.monotonic()

    def read(self, samples: int) -> Signal:
        try:
            part = self._file.read(samples)
        except SoundError as error:
            raise MicrophoneError(str(error)) from error
        self._position += samples
        due_s = self._started_s + self._position / self.rate_hz
        time.sleep(max(0.0, due_s - time.monotonic()))
        return np.pad(part, (0, samples - part.size))

    def close(self) -> None:
        self._file.close()


class DeviceMicrophone:
    """An input device of PortAudio's, searched again whenever it does not open."""

    def __init__(self, source: str) -> None:
        """`source`: auto, a part of a device's name, or its index."""
        self._source = source
        self._audio: Any = None
        self.about = "microphone" if source == "auto" else f"microphone {source}"

    def open(self) -> Stream:
        stale = self._audio is not None
        try:
            return self._open()
        except MicrophoneError:
            self.close_portaudio()
            if not stale:
                raise
        return self._open()

    def find(self) -> dict[str, Any]:
        """PortAudio's description of the device. Raises MicrophoneError."""
        if self._audio is None:
            self._audio = start_portaudio()
        count = self._audio.get_device_count()
        devices = [self._audio.get_device_info_by_index(index) for index in range(count)]
        inputs = [device for device in devices if device["maxInputChannels"] > 0]
        if not inputs:
            raise MicrophoneError(explain_no_input())
        return self._default(inputs) if self._source == "auto" else self._named(inputs)

    def close_portaudio(self) -> None:
        """End PortAudio, whose list of devices is as old as its start."""
        if self._audio is not None:
            self._audio.terminate()
            self._audio = None

    def _open(self) -> Stream:
        device = self.find()
        stream = open_device(self._audio, device)
        try:
            stream.wait(START_TIMEOUT_S)
        except MicrophoneError:
            stream.close()
            raise
        self.about = f"{device['name']} at {stream.rate_hz} Hz"
        return stream

    def _default(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """The system's choice; without one (a Pi whose default is HDMI) the first input."""
        try:
            device: dict[str, Any] = self._audio.get_default_input_device_info()
        except OSError:
            return inputs[0]
        return device

    def _named(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        for device in inputs:
            if self._source == str(device["index"]):
                return device
        for device in inputs:
            if self._source.lower() in device["name"].lower():
                return device
        names = ", ".join(f"{device['index']} {device['name']!r}" for device in inputs)
        raise MicrophoneError(
            f"no microphone {self._source!r}; set audio.source to one of: {names}"
        )


class DeviceStream:
    """An open PyAudio stream of 16-bit samples, mixed down to one channel."""

    def __init__(self, stream: Any, name: str, rate_hz: int, channels: int) -> None:
        self.rate_hz = rate_hz
        self._stream = stream
        self._name = name
        self._channels = channels

    def read(self, samples: int) -> Signal:
        parts = []
        while samples:
            count = min(self.wait(READ_TIMEOUT_S), samples)
            parts.append(self._fetch(count))
            samples -= count
        return np.concatenate(parts)

    def wait(self, timeout_s: float) -> int:
        """How many samples are available, once there are any. Raises MicrophoneError.

        It polls, because PortAudio's own wait does not end on a device that fell silent.
        """
        deadline_s = time.monotonic() + timeout_s
        while not (count := int(self._stream.get_read_available())):
            if time.monotonic() > deadline_s:
                raise MicrophoneError(f"{self._name} sends no sound; unplug it and plug it in")
            time.sleep(POLL_S)
        if count < 0:
            raise self._lost(f"PortAudio error {count}")
        return count

    def _fetch(self, count: int) -> Signal:
        try:
            data = self._stream.read(count, exception_on_overflow=False)
        except OSError as error:
            raise self._lost(error.strerror or str(error)) from error
        samples = np.frombuffer(data, "<i2").reshape(-1, self._channels)
        return np.asarray(samples.mean(axis=1) / FULL_SCALE, np.float32)

    def _lost(self, why: str) -> MicrophoneError:
        return MicrophoneError(f"{self._name} is lost ({why}); plug it in again")

    def close(self) -> None:
        self._stream.close()


def start_portaudio() -> Any:
    """PortAudio with a fresh list of devices. Raises MicrophoneError where it is not installed."""
    try:
        import pyaudio
    except ImportError as error:
        raise MicrophoneError(f"no microphone: {error}; pip install pyaudio") from error
    with quiet_stderr():  # dozens of lines of ALSA and JACK about other devices
        return pyaudio.PyAudio()


def open_device(audio: Any, device: dict[str, Any]) -> DeviceStream:
    """Open `device` at the rate it prefers or one that it takes. Raises MicrophoneError."""
    name, preferred_hz = device["name"], int(device["defaultSampleRate"])
    for rate_hz in dict.fromkeys((preferred_hz, *RATES_HZ)):
        for channels in range(1, min(2, device["maxInputChannels"]) + 1):
            try:
                stream = open_stream(audio, device["index"], rate_hz, channels)
            except (OSError, ValueError) as error:
                why = error
                continue
            return DeviceStream(stream, name, rate_hz, channels)
    if BUSY in why.args:
        raise MicrophoneError(f"{name} is in use by another program; close that, press again")
    raise MicrophoneError(f"{name} does not open ({why.args[-1]}); set audio.source to another")


def open_stream(audio: Any, index: int, rate_hz: int, channels: int) -> Any:
    """A PyAudio input stream that runs. Raises OSError or ValueError."""
    with quiet_stderr():
        return audio.open(
            format=audio.get_format_from_width(2),
            input=True,
            input_device_index=index,
            rate=rate_hz,
            channels=channels,
            frames_per_buffer=rate_hz // BUFFERS_PER_S,
        )


def explain_no_input(devices: Path = Path("/dev/snd")) -> str:
    """Why there is no input device: none is attached, or permission is missing."""
    for device in devices.glob("pcm*c"):
        if not os.access(device, os.R_OK | os.W_OK, effective_ids=True):
            return f"no permission on {device}; sudo usermod -aG audio $USER, then log in again"
    return "no microphone found; plug one in, or set audio.source"
