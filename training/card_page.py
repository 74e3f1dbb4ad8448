"""The models' cards as pages with pictures: `python -m training.card_page`, into docs/models."""

import argparse
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

from edge.inference.card import Card, load_card
from training.voice.left_out_figures import PREFIX

COUNTS = ("samples", "leaked", "ferplus_majority_images", "ferplus_voted_images", "other_boxes")
INK, BLUE, GREY = "#222222", "#2f6fb3", "#9a9a9a"
PAGES = Path("docs/models")
# Each emotion network's one set of people never seen, whose confusion and reliability are drawn.
DRAWN = {"face-emotion": "PrivateTest", "speech-emotion": "actors 21-24, pressed window"}
TASKS = {"face-emotion": "face", "speech-emotion": "voice", "speech-activity": "activity"}


def confusion(values: dict[str, Any], labels: tuple[str, ...], path: Path) -> None:
    """Rows are the true labels; each row's shares in percent."""
    counts = np.array(values["confusion"])
    shares = 100 * counts / counts.sum(1, keepdims=True)
    figure, axes = plt.subplots(figsize=(6.4, 5.6), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 55 else INK
        axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(labels)), labels, rotation=35, ha="right")
    samples = [f"{n} ({c})" for n, c in zip(labels, counts.sum(1), strict=True)]
    axes.set_yticks(range(len(labels)), samples)
    axes.set_xlabel("answered, % of the row")
    axes.set_ylabel("true (samples)")
    save(figure, path)


def reliability(values: dict[str, Any], path: Path) -> None:
    """How often the chosen label is right, by its score; the bars below say how many there are."""
    middles = [float(name) for name in values["calibration_right"]]
    width = 0.8 / 15
    figure, (upper, lower) = plt.subplots(
        2, 1, sharex=True, figsize=(5.6, 5.6), height_ratios=(4, 1), layout="constrained"
    )
    upper.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="perfect")
    right = list(values["calibration_right"].values())
    upper.plot(middles, right, color=BLUE, marker="o", label="measured")
    upper.set_ylabel("share that is right")
    upper.set_ylim(0, 1)
    upper.legend(frameon=False)
    lower.bar(middles, list(values["calibration_share"].values()), width, color=BLUE)
    lower.set_ylabel("of all")
    lower.set_xlabel("score of the chosen label")
    lower.set_xlim(0, 1)
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def cell(name: str, value: Any) -> str:
    if name in COUNTS:
        return f"{value:,.0f}"
    return f"{value:.3f}" if name.endswith(("error", "ccc")) else f"{100 * value:.1f} %"


def table(card: Card) -> str:
    """A line for each set that was measured, a column for each figure that any of them has."""
    sets = {
        name: {key: value for key, value in values.items() if isinstance(value, int | float)}
        for name, values in card.figures.items()
        if "samples" in values
    }
    columns = list(dict.fromkeys(key for values in sets.values() for key in values))
    lines = [["measured on", *(key.replace("_", " ") for key in columns)]]
    lines.append(["---"] * len(lines[0]))
    for name, values in sets.items():
        lines.append([name, *(cell(c, values[c]) if c in values else "" for c in columns)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bullets(lines: tuple[str, ...]) -> str:
    return "\n".join(f"- {line}" for line in lines)


PAGE = """# {card.name} {card.version}

Answers with one of: {labels}. {cost}
{heads}
Made by `python -m training.card_page` from [the card](../../models_tflite/{stem}.json) that lies
beside the model. `make evaluate-{task}` measures every figure again, from the shipped file
through the device's own code, and fails where one is not as it stands here.
{left_out}
## Protocol

{card.protocol}

## Figures

{table}

{pictures}## Known failures

{known_failures}

## Not to be used for

{not_for}

## Licence

{card.licence}
"""


HEADS = """
Two heads in one file: how FER2013's labels name a face, and what most of ten people (FER+) would
say. The device answers with a mean of both; the raters' share of it is {share:g} unless
`face.raters_share` says otherwise. Accuracy is against FER2013's labels, "ferplus majority
agreement" and "ferplus neutral recall" (of the faces that most raters call neutral) against the
raters'. "ferplus valence ccc" and "ferplus arousal ccc" are the concordance (Lin 1989) of what the
device makes of its scores with what it would make of the raters' votes. Rows that name no share
are of the default.
"""
LEFT_OUT = """\
The rows 'left out' are of networks that do not ship, but the two that were never trained on:
`python -m training.voice.leave_one_corpus_out` trains and measures those.
"""
CHANCE = """\
"Chance calibration error" is what scores that are exactly right would show in so few samples.
"""
PICTURES = """The row that says little counts as the desktop script did, with its training data.
{chance}
| {drawn}, against its labels: what was answered | how far scores can be trusted |
|---|---|
| ![Confusion matrix]({stem}-confusion.png) | ![Reliability diagram]({stem}-reliability.png) |

"""


def page(stem: str, card: Card) -> str:
    cost = card.figures["cost"]
    megabytes, millions = cost["bytes"] / 1e6, cost["multiply_adds"] / 1e6
    drawn = DRAWN.get(card.kind)
    chance = CHANCE if drawn and "chance_calibration_error" in card.figures[drawn] else ""
    return PAGE.format(
        stem=stem,
        task=TASKS[card.kind],
        card=card,
        labels=", ".join(card.labels),
        heads=HEADS.format(share=card.raters.default_share) if card.raters else "",
        left_out=LEFT_OUT if any(name.startswith(PREFIX) for name in card.figures) else "",
        cost=f"{megabytes:.2f} MB, {millions:.0f} million multiply-adds.",
        table=table(card),
        pictures=PICTURES.format(drawn=drawn, stem=stem, chance=chance) if drawn else "",
        known_failures=bullets(card.known_failures),
        not_for=bullets(card.not_for),
    )


def write_page(model: Path) -> None:
    """The page and, of a network for emotions, its two pictures."""
    card = load_card(model)
    if card.kind in DRAWN:
        drawn = card.figures[DRAWN[card.kind]]
        confusion(drawn, card.labels, PAGES / f"{model.stem}-confusion.png")
        reliability(drawn, PAGES / f"{model.stem}-reliability.png")
    (PAGES / f"{model.stem}.md").write_text(page(model.stem, card))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="*", help="default: all in models_tflite/")
    models = parser.parse_args().models or sorted(Path("models_tflite").glob("*.tflite"))
    PAGES.mkdir(parents=True, exist_ok=True)
    for model in models:
        write_page(model)


if __name__ == "__main__":
    main()
