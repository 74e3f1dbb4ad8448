"""Two heads: the balance, the layer that holds both, and the share that ships."""

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch here: pip install -e .[training]")

from training.common.networks import FaceMobileNet, FaceNet
from training.face import heads as face_heads

SHARES = np.array([0.14, 0.02, 0.14, 0.25, 0.17, 0.17, 0.11])


@pytest.mark.parametrize("architecture", [FaceNet, FaceMobileNet])
def test_the_released_network_has_both_heads_and_a_balanced_first(architecture: type) -> None:
    network = architecture(14, width=8, depth=2).eval()
    images = torch.randn(3, 1, 48, 48)
    with torch.no_grad():
        both = network(images)
        given = face_heads.released(network, 0.4, SHARES, with_raters=True)(images)
    wanted = both[:, :7] - 0.4 * torch.from_numpy(np.log(SHARES)).float()
    assert torch.allclose(given[:, :7], wanted, atol=1e-5)
    assert torch.allclose(given[:, 7:], both[:, 7:], atol=1e-5)


def test_without_votes_the_label_head_is_released_alone() -> None:
    network = FaceNet(14, width=8, depth=1).eval()
    images = torch.randn(2, 1, 48, 48)
    with torch.no_grad():
        given = face_heads.released(network, 0.0, SHARES, with_raters=False)(images)
        assert torch.allclose(given, network(images)[:, :7], atol=1e-5)


def test_balance_moves_the_answer_towards_rare_labels() -> None:
    close = torch.zeros(1, 7)
    close[0, 3] = 1.0
    assert face_heads.judge(close, np.array([1]), 0, SHARES).accuracy == 0
    assert face_heads.judge(close, np.array([1]), 1, SHARES).accuracy == 1


def test_the_balance_that_is_worth_most_is_chosen() -> None:
    logits = torch.zeros(2, 7)
    logits[0, 3], logits[1, 3] = 5.0, 1.0
    choice = face_heads.choose(logits, np.array([3, 1]), SHARES)
    assert choice.balance > 0
    assert choice.accuracy == 1
    assert msgspec.structs.asdict(choice)["balanced"] == 1
