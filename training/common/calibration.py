"""From validation logits to a card's temperature and reliabilities, and to figures."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.inference.card import Card
from training.common import metrics
from training.common.tflite_file import multiply_adds

Logits = NDArray[np.float32]
Labels = NDArray[np.int64]


def measured(logits: Logits, labels: Labels, card: Card) -> dict[str, Any]:
    return metrics.figures(metrics.softmax(logits, card.temperature), labels, card.labels)


def cost(model: Path) -> dict[str, int]:
    return {"bytes": model.stat().st_size, "multiply_adds": multiply_adds(model)}


def calibrated(
    card: Card, logits: Logits, labels: Labels, temperature: float | None = None
) -> Card:
    """The card with temperature (unless it is given) and reliability (F1 per label) of logits."""
    temperature = temperature or metrics.fit_temperature(logits, labels)
    counts = metrics.confusion(metrics.softmax(logits, temperature), labels)
    reliability = {
        name: round(float(f), 3) for name, f in zip(card.labels, metrics.f1(counts), strict=True)
    }
    return msgspec.structs.replace(card, temperature=round(temperature, 4), reliability=reliability)
