"""Learning curves of several runs in one picture: `python -m training.curves OUT.png LOG.csv...`.

Each log is what `training.train` writes, by the name that the picture shall give it.
"""

import argparse
import csv
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


def column(path: Path, name: str) -> list[float]:
    with path.open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("logs", type=Path, nargs="+")
    options = parser.parse_args()
    figure, axes = plt.subplots(figsize=(9.6, 4.6), layout="constrained")
    axes.set_prop_cycle(color=plt.get_cmap("tab20").colors)
    for log in options.logs:
        accuracy = [100 * share for share in column(log, "validation_accuracy")]
        axes.plot(column(log, "epoch"), accuracy, label=f"{log.stem} ({accuracy[-1]:.1f} %)")
    axes.set_xlabel("epoch")
    axes.set_ylabel("accuracy on validation data, %")
    axes.grid(alpha=0.3)
    figure.legend(frameon=False, loc="outside right center")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(options.out, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
