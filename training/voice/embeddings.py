"""What the frozen encoder tells of every training clip.

`python -m training.voice.embeddings --encoder FILE.onnx` writes it; the file is
`smart-turn-v3.2-cpu.onnx` of the PyPI wheel pipecat-ai. For each corpus there is an array (clips,
WINDOWS, encoder layers + 1, EMBEDDING), float16: the first window is the loudest two seconds as
they are, the others are altered and placed at random. Labels play no part in it.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from training.voice import corpora
from training.voice.augment import add_noise, colour, take_window
from training.voice.corpora_bank import altered, around_loudest, level_normalised
from training.voice.whisper import Encoder, read_encoder
from training.voice.windows import SAMPLES, loudest

Signal = NDArray[np.float32]

DEFAULT = Path("training/data/embeddings")
WINDOWS = 3
SEED = 3
BATCH = 30
FLOOR = 1e-4
"""Of noise, so that digital silence and a room's look alike."""


def windows_of(clip: Signal, random: np.random.Generator) -> Signal:
    """(WINDOWS, samples): the loudest two seconds, then altered ones in noise."""
    plain = level_normalised(around_loudest(clip))
    found = [np.pad(loudest(plain), (0, max(0, SAMPLES - plain.size)))]
    for _ in range(WINDOWS - 1):
        window = take_window(altered(plain, random), SAMPLES, random)
        found.append(add_noise(colour(window, random), random))
    floor = random.standard_normal((WINDOWS, SAMPLES)) * FLOOR
    return (np.stack(found) + floor).astype(np.float32)


def batches(paths: list[Path]) -> Iterator[Signal]:
    """The windows of some clips at a time, (clips * WINDOWS, samples)."""
    for first in range(0, len(paths), BATCH // WINDOWS):
        rows = range(first, min(first + BATCH // WINDOWS, len(paths)))
        clips = [corpora.read_sound(paths[row]) for row in rows]
        yield np.concatenate(
            [
                windows_of(clip, np.random.default_rng((SEED, row)))
                for row, clip in zip(rows, clips, strict=True)
            ]
        )


def embed(encoder: Encoder, clips: corpora.Clips, bf16: bool) -> NDArray[np.float16]:
    """(n, WINDOWS, layers + 1, EMBEDDING) of a corpus."""
    total = -(-len(clips) // (BATCH // WINDOWS))
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        found = [
            encoder.embeddings(x) for x in tqdm(batches(clips.paths), total=total, mininterval=5)
        ]
    rows = np.concatenate(found)
    return rows.reshape(len(clips), WINDOWS, *rows.shape[1:])


def read(folder: Path, name: str, clips: int) -> NDArray[np.float16]:
    """A corpus's embeddings, mapped into memory. Raises SystemExit if there are none that fit."""
    path = folder / f"{name}.npy"
    if not path.exists():
        raise SystemExit(f"{path}: not there; make it with python -m training.voice.embeddings")
    rows = np.load(path, mmap_mode="r")
    if len(rows) != clips:
        raise SystemExit(f"{path}: of {len(rows)} clips, but the data has {clips}; build again")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", type=Path, required=True, help="smart-turn-v3.2-cpu.onnx")
    parser.add_argument("--data", type=Path, default=corpora.DATA)
    parser.add_argument("--out", type=Path, default=DEFAULT)
    parser.add_argument("--corpora", nargs="*", default=corpora.TRAINING)
    parser.add_argument(
        "--also", type=Path, nargs="*", default=[], help="folders of training.prepare voice"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bf16", action="store_true", help="where the processor has bf16 units")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    encoder = read_encoder(options.encoder)
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = {name: corpora.read(options.data, name) for name in options.corpora}
    wanted |= {folder.name: corpora.read_prepared(folder) for folder in options.also}
    for name, clips in wanted.items():
        rows = embed(encoder, clips, options.bf16)
        np.save(options.out / f"{name}.npy", rows)
        print(f"{options.out / name}.npy: {rows.shape}", flush=True)


if __name__ == "__main__":
    main()
