"""Weights between two runs' as a run of its own: `python -m training.average NEW OLD --run RUN`.

A network that learnt on from another's weights lies in the same basin as it did: weights between
the two often answer unaltered images as well as the old and altered ones nearly as well as the new
(Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
"""

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]


def between(old: Weights, new: Weights, share: float) -> dict[str, Tensor]:
    """`share` (0..1) of the way from `old` to `new`; counters are the new ones."""
    return {
        name: old[name].float().lerp(value.float(), share) if value.is_floating_point() else value
        for name, value in new.items()
    }


def weights_of(path: Path) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint: RUN/last.pt, or those in training/float."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    return dict(state["average"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("new", type=Path, help="the folder of a run")
    parser.add_argument("old", type=Path, help="the checkpoint that it started from")
    parser.add_argument("--share", type=float, default=0.5, help="how far towards the new one")
    parser.add_argument("--run", type=Path, required=True, help="the folder to make")
    options = parser.parse_args()
    options.run.mkdir(parents=True)
    shutil.copy(options.new / "options.json", options.run)
    state = torch.load(options.new / "last.pt", map_location="cpu", weights_only=True)
    state["average"] = between(weights_of(options.old), state["average"], options.share)
    torch.save(state, options.run / "last.pt")


if __name__ == "__main__":
    main()
