"""Weights are averaged, and labels shifted, before a network becomes int8."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="no torch here: pip install -e .[training]")

from training.common.networks import VoiceNet
from training.common.weights import mix, shift
from training.voice.data import LABELS


def network(value: float) -> VoiceNet:
    """A network whose weights are all alike."""
    made = VoiceNet(len(LABELS), 4, width=4).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.fill_(value)
    return made


def test_weights_become_the_mean_of_all(tmp_path: Path) -> None:
    files = [tmp_path / "a.pt", tmp_path / "b.pt"]
    for path, value in zip(files, (2.0, 6.0), strict=True):
        torch.save({"average": network(value).half().state_dict()}, path)
    mixed = network(1.0)
    mix(mixed, files)
    assert all((weight == 3).all() for weight in mixed.parameters())


def test_a_network_alone_stays_as_it_is() -> None:
    alone = network(0.5)
    mix(alone, [])
    assert all((weight == 0.5).all() for weight in alone.parameters())


def test_each_label_is_shifted_by_its_offset() -> None:
    shifted, inputs = network(0.1), torch.zeros(1, 4, 1, 20)
    before = shifted(inputs)
    shift(shifted, [float(number) for number in range(len(LABELS))])
    assert torch.allclose(shifted(inputs) - before, torch.arange(8.0), atol=1e-5)
