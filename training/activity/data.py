"""Windows that are speech and windows that are not, for the speech gate: where they come from.

Speech: RAVDESS by actor, nine further corpora by speaker, and spoken words and sentences in many
languages out of Debian packages. Not speech: made sounds, and music and noises out of Debian
packages. A speaker, and what a package says in one language or plays, is in one part only: `fit`,
`choose` or `test`. A language may be in
two: KTuberling's French and Italian words are in `fit`, Asterisk's sentences are not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import resample_poly

from edge.inference.speech_features import loudest_start, rms
from training.activity import sounds as activity_sounds
from training.voice import augment as voice_augment
from training.voice import corpora
from training.voice import data as voice_data
from training.voice.data import RATE_HZ

Signal = NDArray[np.float32]
Part = Literal["fit", "choose", "test"]

LABELS = ("other", "speech")
SAMPLES = activity_sounds.SAMPLES
ACTORS = {
    "fit": voice_data.TRAINING_ACTORS,
    "choose": voice_data.VALIDATION_ACTORS,
    "test": voice_data.TEST_ACTORS,
}
SPEECH_FOLDERS: dict[Part, tuple[str, ...]] = {
    "fit": (
        "asterisk-core-sounds-en-wav",
        *(f"ktuberling-data/usr/share/ktuberling/sounds/{language}" for language in
          ("ca", "da", "de", "el", "en", "es", "fi", "fr", "ga", "gl", "it", "lt", "nds")),
    ),
    "choose": ("asterisk-core-sounds-fr-wav",),
    "test": (
        "asterisk-core-sounds-it-wav",
        "asterisk-core-sounds-ru-wav",
        *(f"ktuberling-data/usr/share/ktuberling/sounds/{language}" for language in
          ("nl", "nn", "pt", "ro", "ru", "sl", "sv", "uk", "wa")),
    ),
}  # fmt: skip
OTHER_FOLDERS: dict[Part, tuple[str, ...]] = {
    "fit": ("wesnoth-1.16-music", "lincity-ng-data", "asterisk-moh-opsound-wav"),
    "choose": ("frozen-bubble-data",),
    "test": ("extremetuxracer-data", "singularity-music", "warzone2100-music"),
}
SPEAKERS: tuple[Part, ...] = ("test", "choose", "fit", "fit")
"""The parts that a corpus's speakers are dealt out to, in the order of their names."""
SUFFIXES = {".ogg", ".opus", ".wav", ".flac"}
# A prompt of the telephone exchange is a file of its own even where it is only silence or a beep.
NOT_SPOKEN = {"silence", "beep", "beeperr", "ascending-2tone", "descending-2tone"}
SEEDS = {"fit": 1, "choose": 2, "test": 3}
QUIETEST_RMS = 1e-3


@dataclass(frozen=True)
class Windows:
    """2 s windows of one kind and where each is from."""

    signals: list[Signal]
    source: str
    speech: bool


def at_16_khz(signal: NDArray[np.float32], rate_hz: int) -> Signal:
    """(n, channels) at any rate as 16 kHz mono."""
    shared = np.gcd(rate_hz, RATE_HZ)
    mono = resample_poly(signal.mean(1), RATE_HZ // shared, rate_hz // shared)
    return np.asarray(mono, np.float32)


def read(path: Path) -> Signal:
    """A sound file of any rate as 16 kHz mono."""
    return at_16_khz(*soundfile.read(path, dtype="float32", always_2d=True))


def read_somewhere(path: Path, random: np.random.Generator) -> Signal:
    """Two seconds from anywhere in a sound file; silence follows a shorter one."""
    with soundfile.SoundFile(path) as file:
        samples = 2 * file.samplerate
        file.seek(int(random.integers(max(1, file.frames - samples))))
        signal = file.read(samples, dtype="float32", always_2d=True)
        return padded(at_16_khz(signal, file.samplerate))


def sound_files(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*")
        if path.suffix in SUFFIXES and not NOT_SPOKEN & {path.stem, path.parent.name}
    )  # fmt: skip


def padded(signal: Signal) -> Signal:
    return np.pad(signal[:SAMPLES], (0, max(0, SAMPLES - len(signal))))


def spoken_windows(folder: Path, most: int, random: np.random.Generator) -> list[Signal]:
    """The loudest 2 s of up to `most` files that hold at least half a second."""
    files = sound_files(folder)
    chosen = [files[i] for i in random.permutation(len(files))[:most]]
    signals = [read(path) for path in chosen]
    return [
        padded(signal[loudest_start(signal, SAMPLES) :])
        for signal in signals
        if len(signal) > RATE_HZ // 2
    ]


def played_windows(folder: Path, most: int, random: np.random.Generator) -> list[Signal]:
    """Up to `most` windows from anywhere in the files, as many of each, none of them silent."""
    files = sound_files(folder)
    found: list[Signal] = []
    for path in files:
        parts = [read_somewhere(path, random) for _ in range(-(-most // len(files)))]
        found += [part for part in parts if rms(part) > QUIETEST_RMS]
    return [found[i] for i in random.permutation(len(found))[:most]]


def ravdess_windows(data: Path, part: Part, random: np.random.Generator) -> list[Signal]:
    """A window a clip: where a press may put it, but with the loudest half second in it."""
    clips = voice_data.load(data, ACTORS[part]).clips
    return [voice_augment.take_window(clip, SAMPLES, random) for clip in clips]


def corpus_clips(data: Path, name: str, part: Part) -> corpora.Clips:
    """The clips of a part's speakers; a corpus that only ever tests has no other part.

    `data`: RAVDESS's folder, beside which the corpora lie.
    """
    clips = corpora.read(data.parent, name)
    if name in corpora.TEST_ONLY:
        return clips.where(np.full(len(clips), part == "test"))
    speakers = sorted(set(clips.speakers))
    theirs = [who for n, who in enumerate(speakers) if SPEAKERS[n % len(SPEAKERS)] == part]
    return clips.where(np.isin(clips.speakers, theirs))


def corpus_windows(
    data: Path, name: str, part: Part, most: int, random: np.random.Generator
) -> list[Signal]:
    """A window of each of up to `most` clips, the loudest half second in it."""
    clips = corpus_clips(data, name, part)
    chosen = np.isin(np.arange(len(clips)), random.permutation(len(clips))[:most])
    return [
        padded(voice_augment.take_window(clip, SAMPLES, random))
        for clip in clips.where(chosen).sounds()
    ]


def windows(data: Path, sounds: Path, part: Part, most: int) -> Iterator[Windows]:
    """All windows of a part, source by source; up to `most` of each source."""
    random = np.random.default_rng(SEEDS[part])
    yield Windows(ravdess_windows(data, part, random), "RAVDESS", True)
    # For "test" `training.activity.figures` takes every clip of their speakers instead.
    for name in corpora.LEFT_OUT if part != "test" else ():
        yield Windows(corpus_windows(data, name, part, most, random), name, True)
    for folder in SPEECH_FOLDERS[part]:
        few = most // 8 if folder.startswith("ktuberling") else most
        yield Windows(spoken_windows(sounds / folder, few, random), folder, True)
    for folder in OTHER_FOLDERS[part]:
        yield Windows(played_windows(sounds / folder, most, random), folder, False)
    for name, make in activity_sounds.MAKERS.items():
        yield Windows([make(random) for _ in range(most)], f"made {name}", False)
