"""Measure a shipped model through the device's own code: `python -m training.evaluate face`.

Fits the temperature and the labels' reliability on validation data, then writes every figure into
the card. `--validation-only` leaves the test set alone while models are still being chosen.
`--check` writes nothing: it compares with the card, and fails where a figure differs.
"""

import argparse
from pathlib import Path

import msgspec

from edge.inference.card import Card
from edge.runtime.process import configure_libraries
from training.activity.figures import ActivityFigures
from training.common.cards import BASELINES, MODELS, write_card
from training.common.compare import differences
from training.face.figures import FaceFigures
from training.voice.figures import VoiceFigures

TASKS: dict[str, tuple[type[FaceFigures | VoiceFigures | ActivityFigures], str]] = {
    "face": (FaceFigures, "fer2013.npz"),
    "voice": (VoiceFigures, "ravdess_16k"),
    "activity": (ActivityFigures, "ravdess_16k"),
}
# Shares of 1: how far a figure may lie from the card's.
TOLERANCE = {"face": 0.003, "voice": 0.005, "activity": 0.005}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--model", type=Path, nargs="+", help="default: all that ship")
    parser.add_argument("--data", type=Path, default=Path("training/data"))
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--validation-only", action="store_true")
    how.add_argument("--check", action="store_true", help="compare with the card, write nothing")
    return parser.parse_args()


def show(card: Card) -> None:
    for name, values in card.figures.items():
        shares = [f"{k} {v}" for k, v in values.items() if isinstance(v, int | float)]
        print(f"{name}: {', '.join(shares)}")


def check(told: Card, found: Card, tolerance: float) -> None:
    """Exit with what differs, if anything does."""
    lines = differences(told, found, tolerance)
    if lines:
        raise SystemExit("\n".join(["the card is not what was measured:", *lines]))
    print(f"every figure of {told.name} {told.version} is as its card says (+-{tolerance:.1%})")


def evaluate(model: Path, options: argparse.Namespace, data: Path) -> None:
    """Measure one file, and write or check its card."""
    run = TASKS[options.task][0](model, data)
    told = run.card
    run.calibrate()
    figures = run.validation() | ({} if options.validation_only else run.test())
    found = msgspec.structs.replace(run.card, figures=figures)
    show(found)
    if options.check:
        check(told, found, TOLERANCE[options.task])
    else:
        write_card(model, found)


def shipped(task: str) -> list[Path]:
    """All files of a kind: face_emotion.tflite ..., and baselines."""
    model = MODELS[task]
    ours = sorted(model.parent.glob(f"{model.stem}*.tflite"))
    return ours + sorted(BASELINES.glob(f"{task}_*.tflite"))


def data_of(task: str, folder: Path) -> Path:
    """A task's data in the folder of all data; or that folder, if it is one's own recordings.

    Raises SystemExit where there is neither.
    """
    if task == "voice" and (folder / "index.csv").exists():
        return folder
    data = folder / TASKS[task][1]
    if not data.exists():
        raise SystemExit(f"{data}: no such data; training/README.md says where it comes from")
    return data


def main() -> None:
    configure_libraries()
    options = parse()
    data = data_of(options.task, options.data)
    for model in options.model or shipped(options.task):
        evaluate(model, options, data)


if __name__ == "__main__":
    main()
