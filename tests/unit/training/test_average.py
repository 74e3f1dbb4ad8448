"""Weights between those of two runs."""

import pytest

torch = pytest.importorskip("torch", reason="no torch here: pip install -e .[training]")

from training.average import between


def test_weights_lie_between_and_counters_are_the_new_ones() -> None:
    old = {"weight": torch.tensor([0.0, 2.0]).half(), "steps": torch.tensor(3)}
    new = {"weight": torch.tensor([4.0, 2.0]), "steps": torch.tensor(5)}
    found = between(old, new, 0.25)
    assert found["weight"].tolist() == [1.0, 2.0]
    assert found["steps"] == 5
