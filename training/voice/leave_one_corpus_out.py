"""Train without a corpus, test on it, for each: `python -m training.voice.leave_one_corpus_out`.

    ... train [--epochs N ...]   the networks, each in RUNS/CORPUS, and their int8 files; options
                                 that are not its own go to training.train
    ... test                     each on its corpus; figures and temperature go to the card of the
                                 network that ships

A network is trained like the one that ships, converted to int8 and asked through the device's own
code about whole clips. It may say any of seven labels (calm counts as neutral), whatever labels the
corpus has. The corpora that only ever test are tested by the network that ships, which was trained
on all others.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.inference.card import load_card
from edge.inference.speech_emotion import SpeechEmotion
from training.common.cards import MODELS, write_card
from training.voice import corpora, whole_clips
from training.voice.left_out_figures import (
    LEFT_OUT,
    LeftOut,
    cross_fitted_figures,
    figures,
    fit_temperature,
    fit_threshold,
    means,
    titled,
)
from training.voice.whole_clips import Answers

MODEL = "voice_emotion.tflite"
DEFAULT = Path("training/runs/leave_one_corpus_out")


def run(module: str, *arguments: str | Path) -> None:
    """Another of the project's commands, in this order of things. Raises CalledProcessError."""
    subprocess.run([sys.executable, "-m", module, *map(str, arguments)], check=True)


def train(runs: Path, names: Sequence[str], options: Sequence[str]) -> None:
    """A network without each corpus; what is already trained, or in part, is gone on with."""
    for name in names:
        folder = runs / name
        run("training.train", "corpora", "--run", folder, "--leave-out", name, *options)
        if not (folder / MODEL).exists():
            named = ("--name", f"without-{name}", "--version", "0")
            run("training.convert", "corpora", "--run", folder, "--out", folder / MODEL, *named)


def answers_of(model: Path, data: Path, name: str, kept: Path) -> Answers:
    """What a network says of a corpus, kept in a file until the network is another."""
    network = SpeechEmotion(model)
    path = kept / f"{name}-{network.card.sha256[:12]}.npz"
    if not path.exists():
        kept.mkdir(parents=True, exist_ok=True)
        whole_clips.save(path, whole_clips.answers(network, corpora.read(data, name)))
    return whole_clips.load(path)


def answers_of_all(runs: Path, model: Path, data: Path) -> dict[str, LeftOut]:
    """Every corpus that is not RAVDESS, each by a network that has not seen it."""
    models = {name: runs / name / MODEL for name in corpora.LEFT_OUT}
    models |= dict.fromkeys(corpora.TEST_ONLY, model)
    return {
        name: LeftOut(corpora.read(data, name), answers_of(path, data, name, runs / "answers"))
        for name, path in models.items()
    }


def measure(runs: Path, model: Path, data: Path) -> None:
    """Write temperature and left-out figures into the card of `model`, and say the threshold."""
    everything = answers_of_all(runs, model, data)
    left_out = {name: everything[name] for name in corpora.LEFT_OUT}
    temperature = fit_temperature(left_out.values())
    threshold = fit_threshold(left_out.values(), temperature)
    found = cross_fitted_figures(left_out)
    for name in corpora.TEST_ONLY:
        found[name] = figures(everything[name], temperature, threshold)
    card = load_card(model)
    kept = {k: v for k, v in card.figures.items() if not k.startswith(LEFT_OUT)}
    told = {titled(name): values for name, values in found.items()}
    told[f"{LEFT_OUT}mean of the nine"] = means(found)
    write_card(
        model,
        msgspec.structs.replace(card, temperature=round(temperature, 4), figures=kept | told),
    )
    for name, values in told.items():
        print(name, {k: v for k, v in values.items() if isinstance(v, int | float)})
    print(f"temperature {temperature:.3f}, threshold {threshold}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["train", "test"])
    parser.add_argument("--runs", type=Path, default=DEFAULT)
    parser.add_argument("--corpora", nargs="+", choices=corpora.LEFT_OUT, default=corpora.LEFT_OUT)
    parser.add_argument("--data", type=Path, default=corpora.DATA)
    parser.add_argument("--model", type=Path, default=MODELS["voice"], help="that ships")
    options, rest = parser.parse_known_args()
    if options.what == "train":
        train(options.runs, options.corpora, ["--data", str(options.data), *rest])
    else:
        measure(options.runs, options.model, options.data)


if __name__ == "__main__":
    main()
