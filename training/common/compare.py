"""Whether two cards tell the same figures: what differs by more than a tolerance."""

from collections.abc import Iterator, Mapping
from typing import Any

from edge.inference.card import Card


def flat(values: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number of nested mappings and sequences, with its path."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from flat(value, f"{name}, {key}" if name else str(key))
    elif isinstance(values, list | tuple):
        for index, value in enumerate(values):
            yield from flat(value, f"{name}[{index}]")
    else:
        yield name, float(values)


DRAWN_ONLY = ("calibration_share", "calibration_right")
"""The reliability diagram's points: with 240 clips one more or less in a bin moves its point by
several percent. What they come to, the calibration error, is compared."""


def figures_of(card: Card) -> dict[str, float]:
    """All that a card tells; a confusion's counts as shares of its samples."""
    shares = {
        group: {
            key: [[n / values["samples"] for n in row] for row in value]
            if isinstance(value, list)
            else value
            for key, value in values.items()
            if key not in DRAWN_ONLY
        }
        for group, values in card.figures.items()
    }
    fitted = {"temperature": card.temperature, "reliability": card.reliability}
    return dict(flat({**fitted, **shares}))


def differences(told: Card, found: Card, tolerance: float) -> list[str]:
    """A line for each figure of `told` that `found` lacks or has otherwise, and the other way."""
    return unlike(figures_of(told), figures_of(found), tolerance)


def unlike(told: Mapping[str, float], found: Mapping[str, float], tolerance: float) -> list[str]:
    """The same of figures by their paths."""
    lines = [f"{name}: only on one of the two" for name in sorted(told.keys() ^ found.keys())]
    for name in sorted(told.keys() & found.keys()):
        if not abs(told[name] - found[name]) <= tolerance:  # NaN is never as it was told
            lines.append(f"{name}: the card says {told[name]:g}, measured {found[name]:g}")
    return lines
