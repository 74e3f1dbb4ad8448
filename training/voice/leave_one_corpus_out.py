"""Train without a corpus, test on it, for each: `python -m training.voice.leave_one_corpus_out`.

    ... train [--epochs N ...]   the networks, each in RUNS/CORPUS, and their int8 files; options
                                 that are not its own go to training.train
    ... fit                      temperature, threshold and the labels' offsets, for
                                 training.convert and the network that ships
    ... measure                  each on its corpus; figures and temperature go to its card

A network is trained like the one that ships, converted to int8 and asked through the device's own
code about whole clips. It may say any of seven labels (calm counts as neutral), whatever labels the
corpus has. The corpora that only ever test are tested by the network that ships, which was trained
on all others.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.inference.card import load_card
from edge.inference.speech import SpeechEmotion
from training.common.cards import MODELS, write_card
from training.voice import corpora, whole_clips
from training.voice.corpora import LEFT_OUT, TEST_ONLY
from training.voice.data import LABELS
from training.voice.left_out_figures import (
    PREFIX,
    LeftOut,
    cross_fitted_figures,
    figures,
    fit_calibration,
    fit_threshold,
    means,
    titled,
)
from training.voice.whole_clips import Answers

CALIBRATION = "calibration.json"
MODEL = "voice_emotion.tflite"
DEFAULT = Path("training/runs/leave_one_corpus_out")


def run(module: str, *arguments: str | Path) -> None:
    """Another of the project's commands, in this order of things. Raises CalledProcessError."""
    subprocess.run([sys.executable, "-m", module, *map(str, arguments)], check=True)


def train(
    runs: Path, names: Sequence[str], average: Sequence[Path], options: Sequence[str]
) -> None:
    """A network without each corpus; what is already trained, or in part, is gone on with."""
    for name in names:
        folder = runs / name
        run("training.train", "corpora", "--run", folder, "--leave-out", name, *options)
        if not (folder / MODEL).exists():
            convert(folder, name, average)


def convert(folder: Path, name: str, average: Sequence[Path]) -> None:
    """The int8 file of a run, its weights averaged with those of the files."""
    others = [part for path in average for part in ("--average", path)]
    named = ("--name", f"without-{name}", "--version", "0", "--out", folder / MODEL)
    run("training.convert", "corpora", "--run", folder, *others, *named)


def answers_of(model: Path, data: Path, name: str, kept: Path) -> Answers:
    """What a network says of a corpus, kept in a file until the network is another."""
    network = SpeechEmotion(model)
    path = kept / f"{name}-{network.card.sha256[:12]}.npz"
    if not path.exists():
        kept.mkdir(parents=True, exist_ok=True)
        whole_clips.save(path, whole_clips.answers(network, corpora.read(data, name)))
    return whole_clips.load(path)


def answers_of_left_out(runs: Path, data: Path) -> dict[str, LeftOut]:
    """Each training corpus but RAVDESS, by the network that was trained without it."""
    return {
        name: LeftOut(
            corpora.read(data, name),
            answers_of(runs / name / MODEL, data, name, runs / "answers"),
        )
        for name in LEFT_OUT
    }


def answers_of_test_only(runs: Path, model: Path, data: Path) -> dict[str, LeftOut]:
    """Each corpus that only ever tests, by the network that ships."""
    return {
        name: LeftOut(corpora.read(data, name), answers_of(model, data, name, runs / "answers"))
        for name in TEST_ONLY
    }


def fit(runs: Path, data: Path, share: float) -> None:
    """Write temperature, threshold and offsets for `training.convert --calibration` into RUNS."""
    known = list(answers_of_left_out(runs, data).values())
    fitted = fit_calibration(known, share)
    threshold = fit_threshold([fitted.applied(one) for one in known], fitted.temperature)
    offsets = dict(zip(LABELS, fitted.offsets.round(3).tolist(), strict=True))
    found = {"temperature": round(fitted.temperature, 4), "threshold": threshold}
    text = json.dumps({**found, "share": share, "offsets": offsets}, indent=1)
    (runs / CALIBRATION).write_text(text + "\n")
    print(text)


def measure(runs: Path, model: Path, data: Path) -> None:
    """Write temperature and left-out figures into the card of `model`, which has the offsets."""
    fitted = json.loads((runs / CALIBRATION).read_text())
    found = cross_fitted_figures(answers_of_left_out(runs, data), fitted["share"])
    for name, one in answers_of_test_only(runs, model, data).items():
        found[name] = figures(one, fitted["temperature"], fitted["threshold"])
    card = load_card(model)
    kept = {k: v for k, v in card.figures.items() if not k.startswith(PREFIX)}
    told = {titled(name): values for name, values in found.items()}
    told[f"{PREFIX}mean of the nine"] = means(found)
    figures_now = kept | told
    write_card(
        model,
        msgspec.structs.replace(card, temperature=fitted["temperature"], figures=figures_now),
    )
    for name, values in told.items():
        print(name, {k: v for k, v in values.items() if isinstance(v, int | float)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["train", "fit", "measure"])
    parser.add_argument("--runs", type=Path, default=DEFAULT)
    parser.add_argument("--corpora", nargs="+", choices=LEFT_OUT, default=LEFT_OUT)
    parser.add_argument("--data", type=Path, default=corpora.DATA)
    parser.add_argument("--model", type=Path, default=MODELS["voice"], help="that ships")
    parser.add_argument(
        "--average", type=Path, nargs="*", default=[], help="weights to average each with"
    )
    parser.add_argument("--share", type=float, default=0.5, help="how much of the offsets to keep")
    options, rest = parser.parse_known_args()
    if options.what == "train":
        extra = ["--data", str(options.data), *rest]
        train(options.runs, options.corpora, options.average, extra)
    elif options.what == "fit":
        fit(options.runs, options.data, options.share)
    else:
        measure(options.runs, options.model, options.data)


if __name__ == "__main__":
    main()
