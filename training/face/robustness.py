"""PublicTest as people and cameras alter it: `python -m training.face.robustness RUN...`.

A line for each kind of change, drawn with one seed for all runs, of the networks before int8: the
label head against FER2013's labels, the raters' head against their majority, and how many of the
faces that they call neutral are called so by the mean of both.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.face import augment as face_augment
from training.face import data as face_data
from training.face.glasses import draw_glasses
from training.face.share import NEUTRAL
from training.face.task import scores_of
from training.train import averaged

SEED = 1
KINDS: dict[str, Callable[[Tensor], Tensor]] = {
    "as it is": lambda x: x,
    "glasses drawn on": draw_glasses,
    "moved, rolled, half-turned": face_augment.move,
    "light from a side": face_augment.side_light,
    "16 to 32 px": lambda x: torch.cat([face_augment.small(part) for part in x.split(64)]),
    "blurred": face_augment.blur,
    "moving mouth": face_augment.motion,
    "all kinds together": face_augment.augment,
}


def shares_right(
    scores: NDArray[np.float32], faces: face_data.FaceSet
) -> tuple[float, float, float]:
    """Of both heads' scores (n, 2, 7): labels right, raters right, neutral faces called so."""
    crowd = face_data.majority(faces.votes)
    labels = (scores[:, 0].argmax(1) == faces.labels).mean()
    raters = (scores[:, 1].argmax(1) == crowd)[crowd >= 0].mean()
    neutral = (scores.mean(1).argmax(1) == NEUTRAL)[crowd == NEUTRAL].mean()
    return float(labels), float(raters), float(neutral)


def measure(network: nn.Module, images: Tensor, faces: face_data.FaceSet) -> str:
    """`images`: (n, 1, 48, 48) in 0..1, of `faces`."""
    scores = scores_of(network, images * 255).view(len(images), 2, -1).numpy()
    return " | ".join(f"{100 * share:.1f} %" for share in shares_right(scores, faces))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="folders of training.train")
    parser.add_argument("--data", type=Path, default=Path("training/data/fer2013.npz"))
    parser.add_argument("--bf16", action="store_true", help="where the processor has bf16 units")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    faces = face_data.load(options.data, face_data.PUBLIC)
    plain = torch.from_numpy(faces.images)[:, None].float() / 255
    networks = [averaged(run) for run in options.runs]
    for name, kind in KINDS.items():
        torch.manual_seed(SEED)
        images = kind(plain).clamp(0, 1)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
            cells = [measure(network, images, faces) for network in networks]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
