"""Sound files, rates, a file as microphone, recordings: no sound device is needed."""

import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.devices.microphone import check_source, is_sound_file
from edge.devices.microphone.portaudio import (
    FileMicrophone,
    MicrophoneError,
    explain_no_input,
    find_microphone,
    make_microphone,
    quiet_stderr,
)
from edge.devices.microphone.recorder import Recorder, Recording, Sound
from edge.devices.microphone.sound_file import SoundError, read_sound, resample
from edge.errors import UserError
from edge.types import Signal

RATE_HZ = 16_000
PATIENCE_S = 10.0
NOBODY = 65_534


def tone(seconds: float, rate_hz: int = RATE_HZ, hz: float = 440.0) -> Signal:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    soundfile.write(path, samples, rate_hz, subtype="FLOAT" if path.suffix == ".wav" else None)
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_a_sound_file_is_read_as_mono_at_its_own_rate(tmp_path: Path, name: str) -> None:
    signal, rate_hz = read_sound(write(tmp_path / name, tone(0.5) / 2))
    assert rate_hz == RATE_HZ
    assert signal.shape == (8_000,)
    assert signal.dtype == np.float32
    assert np.abs(signal - tone(0.5) / 2).max() < (0.05 if name == "a.ogg" else 1e-4)


def test_stereo_is_averaged(tmp_path: Path) -> None:
    left = tone(0.1)
    signal, _ = read_sound(write(tmp_path / "a.wav", np.stack([left, np.zeros_like(left)], 1)))
    assert np.allclose(signal, left / 2)


def no_samples(path: Path) -> None:
    write(path, np.zeros(0, np.float32))


def not_a_number(path: Path) -> None:
    write(path, np.array([0, np.nan, 0], np.float32))


def six_channels(path: Path) -> None:
    write(path, np.zeros((100, 6), np.float32))


def slow_rate(path: Path) -> None:
    write(path, tone(0.1), 4_000)


def text(path: Path) -> None:
    path.write_text("this is not a sound")


def a_claim_of_weeks(path: Path) -> None:
    """A FLAC file whose STREAMINFO (RFC 9639, 8.2) tells of 2^36 - 1 samples."""
    soundfile.write(path, tone(0.1), RATE_HZ, format="FLAC")
    data = bytearray(path.read_bytes())
    data[21] |= 0x0F
    data[22:26] = b"\xff" * 4
    path.write_bytes(data)


def nothing(path: Path) -> None:
    path.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (no_samples, "no samples"),
        (not_a_number, "not finite"),
        (six_channels, "6 channels; convert it to mono"),
        (slow_rate, "4000 Hz; convert it"),
        (text, "cannot be read"),
        (a_claim_of_weeks, "it claims 71583 minutes; cut it to 60"),
        (Path.mkdir, "no such sound file"),
        (nothing, "no such sound file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_fix_in_one_line(
    tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    path = tmp_path / "a.wav"
    make(path)
    with pytest.raises(SoundError, match=why) as refused:
        make_microphone(str(path))
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("from_hz", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_resampling_keeps_the_sound(from_hz: int) -> None:
    ours = resample(tone(1.0, from_hz), from_hz, RATE_HZ)
    assert ours.dtype == np.float32
    assert ours.shape == (RATE_HZ,)
    assert np.abs(ours - tone(1.0))[500:-500].max() < 1e-3


def test_resampling_to_the_same_rate_changes_nothing() -> None:
    signal = tone(0.1)
    assert np.array_equal(resample(signal, RATE_HZ, RATE_HZ), signal)


def test_resampling_removes_what_the_lower_rate_cannot_hold() -> None:
    whistle = resample(tone(1.0, 48_000, hz=12_000), 48_000, RATE_HZ)
    assert np.abs(whistle[100:-100]).max() < 0.01


@pytest.mark.parametrize("source", ["voice.wav", "voice.FLAC", "/tmp/voice", "./voice", "../voice"])
def test_a_path_is_a_sound_file_even_if_it_is_not_there(source: str) -> None:
    assert is_sound_file(source)
    with pytest.raises(UserError, match="no such sound file; check the path"):
        check_source(source)


def test_a_name_that_is_too_long_for_a_file_is_a_sound_file_that_is_not_there() -> None:
    with pytest.raises(UserError, match="no such sound file"):
        check_source(f"./{'x' * 300}.wav")
    assert not is_sound_file("x" * 300)


def test_a_file_without_a_header_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(100))
    with pytest.raises(SoundError, match="cannot be read") as refused:
        read_sound(path)
    assert "\n" not in str(refused.value)


def test_a_sound_file_may_have_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    write(tmp_path / "a.wav", tone(0.1)).rename(path)
    assert read_sound(path)[0].size == 1_600


def test_what_a_source_comes_to_is_found_out(tmp_path: Path) -> None:
    assert find_microphone(str(write(tmp_path / "a.wav", tone(0.1)))) == "a.wav as microphone"
    with pytest.raises(MicrophoneError, match=r"no such thing|no microphone found"):
        find_microphone("no such thing")


@pytest.mark.parametrize("source", ["auto", "0", "USB Audio", "hw:1,0"])
def test_a_device_is_no_sound_file_and_is_looked_for_later(source: str) -> None:
    assert not is_sound_file(source)
    check_source(source)


def test_a_file_microphone_plays_its_file_then_silence_and_from_the_start_again(
    tmp_path: Path,
) -> None:
    signal = tone(0.15) / 2
    microphone = FileMicrophone(write(tmp_path / "a.wav", signal))
    for _ in range(2):
        stream = microphone.open()
        assert stream.rate_hz == RATE_HZ
        read = np.concatenate([stream.read(1_600), stream.read(1_600)])
        assert np.array_equal(read, np.pad(signal, (0, 800)))


def test_a_file_microphone_plays_in_real_time(tmp_path: Path) -> None:
    stream = FileMicrophone(write(tmp_path / "a.wav", tone(1))).open()
    started_s = time.monotonic()
    for _ in range(3):
        stream.read(1_600)
    assert time.monotonic() - started_s >= 0.3


def record(microphone: object, duration_s: float) -> tuple[Recording, str]:
    """A whole take, or the take and why there is none."""
    calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    recorder = Recorder(microphone, calls.put)  # type: ignore[arg-type]
    take, failures = Recording(duration_s), [""]
    take.begin(0)
    recorder.record(take, lambda take, sound: take.add(sound), lambda _, why: failures.append(why))
    while not failures[-1] and not take.full:
        calls.get(timeout=PATIENCE_S)()
    take.ended = True
    recorder.close()
    return take, failures[-1]


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000, 22_050])
def test_a_take_has_exactly_its_duration_in_samples(tmp_path: Path, rate_hz: int) -> None:
    sound = write(tmp_path / "a.wav", tone(1, rate_hz), rate_hz)
    take, _ = record(FileMicrophone(sound), 0.55)
    assert take.signal().size == round(0.55 * rate_hz)
    assert take.elapsed_s == pytest.approx(0.55, abs=1 / rate_hz)


def heard(take: Recording, *pieces: float) -> None:
    """A tenth of a second for each, whose samples all have this value."""
    for piece in pieces:
        take.add(Sound(np.full(1_600, piece, np.float32), RATE_HZ, 0))


def test_until_it_begins_a_take_keeps_a_second() -> None:
    take = Recording(2.0)
    heard(take, *range(25))
    assert take.elapsed_s == 2.5
    assert take.signal().size == RATE_HZ
    assert take.signal()[0] == 15
    assert not take.full


def test_a_take_begins_with_what_came_just_before_and_ends_full() -> None:
    take = Recording(0.5)
    heard(take, *range(9))
    take.begin(lead_s=0.3)
    assert take.elapsed_s == pytest.approx(0.3)
    assert take.signal()[0] == 6
    heard(take, 9, 10)
    assert take.full
    assert take.signal().size == RATE_HZ // 2


def test_a_full_take_moves_on_with_what_is_added() -> None:
    take = Recording(0.5)
    take.begin(lead_s=0.0)
    heard(take, *range(7))
    assert take.full
    assert take.moved_s == pytest.approx(0.2)
    assert [piece[0] for piece in take.ends()] == [2, 6]


class Broken:
    """A microphone that is taken away while it records."""

    about = "broken"
    rate_hz = RATE_HZ

    def __init__(self) -> None:
        self.closed = threading.Event()

    def open(self) -> "Broken":
        return self

    def read(self, _: int) -> Signal:
        raise MicrophoneError("it is lost; plug it in again")

    def close(self) -> None:
        self.closed.set()


def test_a_microphone_that_fails_is_closed_and_the_failure_handed_over() -> None:
    microphone = Broken()
    _, why = record(microphone, 0.5)
    assert why == "it is lost; plug it in again"
    assert microphone.closed.is_set()


def test_a_take_that_is_over_is_not_read_any_further(tmp_path: Path) -> None:
    calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    recorder = Recorder(FileMicrophone(write(tmp_path / "a.wav", tone(1))), calls.put)
    take, sounds = Recording(10.0), list[Sound]()
    recorder.record(take, lambda _, sound: sounds.append(sound), lambda _, why: pytest.fail(why))
    calls.get(timeout=PATIENCE_S)()
    take.ended = True
    recorder.close()  # waits for the thread
    while not calls.empty():
        calls.get()()
    assert len(sounds) <= 3


def test_noise_of_the_sound_libraries_is_kept_from_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with quiet_stderr():
        os.write(2, b"ALSA lib pcm.c: Unknown PCM\n")
    os.write(2, b"an error of ours\n")
    assert capfd.readouterr().err == "an error of ours\n"


@pytest.mark.root
def test_without_permission_the_group_to_join_is_named() -> None:
    with tempfile.TemporaryDirectory() as folder:
        devices = Path(folder)
        devices.chmod(0o755)
        assert explain_no_input(devices) == "no microphone found; plug one in, or set audio.source"
        (devices / "pcmC0D0c").touch(mode=0o600)
        os.seteuid(NOBODY)
        try:
            assert "no permission" in explain_no_input(devices)
            assert "usermod -aG audio" in explain_no_input(devices)
        finally:
            os.seteuid(0)
