"""A training run to a full-int8 model and its card: `python -m training.convert face --run RUN`.

The card gets no figures here; `python -m training.evaluate` measures this very file. Of the
project's own models the same network before int8 goes to training/float/, so that the loss can be
measured, and of those that ship the weights too (TASK.pt), for those who want to go on training.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.activity.task import ActivityTask
from training.common.cards import FLOAT, MODELS, write_model
from training.common.to_tflite import float16, int8, rebuild
from training.common.weights import mix, shift
from training.face.task import FaceTask
from training.train import averaged, build_task
from training.voice.corpora_task import CorporaTask

CALIBRATION_INPUTS = 500
SHIPPED = {**MODELS, "corpora": MODELS["voice"]}
KEPT = (Path("models_tflite"), Path("training/baseline"))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=list(SHIPPED))
    parser.add_argument("--run", type=Path, required=True, help="the folder of training.train")
    parser.add_argument("--out", type=Path, help="default: the one that ships")
    parser.add_argument(
        "--average",
        type=Path,
        action="append",
        default=[],
        help="weights to average with the run's, RUN/last.pt (repeatable)",
    )
    parser.add_argument(
        "--calibration", type=Path, help="of training.voice.leave_one_corpus_out: labels' offsets"
    )
    parser.add_argument("--name", required=True, help="the model's name on its card")
    parser.add_argument("--version", required=True)
    return parser.parse_args()


def half(state: dict[str, Any]) -> dict[str, dict[str, Tensor]]:
    """The averaged weights alone, in half precision: what `train --start` begins with."""
    weights = state["average"].items()
    return {"average": {k: v.half() if v.is_floating_point() else v for k, v in weights}}


def main() -> None:
    wanted = parse()
    options = argparse.Namespace(**json.loads((wanted.run / "options.json").read_text()))
    task = build_task(options)
    network = averaged(wanted.run)
    mix(network, wanted.average)
    if wanted.calibration:
        offsets = json.loads(wanted.calibration.read_text())["offsets"]
        shift(network, [offsets[label] for label in task.card_fields()["labels"]])
    state = torch.load(wanted.run / "last.pt", map_location="cpu", weights_only=True)
    calibration = task.calibration(CALIBRATION_INPUTS)
    names = {"name": wanted.name, "version": wanted.version}
    if isinstance(task, FaceTask | ActivityTask):
        network = task.released(network)
    rebuilt = rebuild(network, calibration[:8])
    content = int8(rebuilt, calibration)
    out = wanted.out or SHIPPED[wanted.task]
    write_model(out, content, {**task.card_fields(), **names})
    if out.parent in KEPT:
        (FLOAT / out.name).write_bytes(float16(rebuilt))
    if wanted.out is None:
        if isinstance(task, CorporaTask):
            state["average"] = network.state_dict()
        torch.save(half(state), FLOAT / f"{out.stem.split('_')[0]}.pt")
    print(f"{out}: {len(content) / 1e6:.2f} MB after {state['epoch']} epochs")


if __name__ == "__main__":
    main()
