"""Two heads become one: the mix, the balance, and the layer that holds both."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch here: pip install -e .[training]")

from training.common.networks import FaceMobileNet, FaceNet
from training.face import data as face_data
from training.face import heads as face_heads

SHARES = np.array([0.14, 0.02, 0.14, 0.25, 0.17, 0.17, 0.11])


def faces(labels: list[int], voted: list[int]) -> face_data.FaceSet:
    votes = np.zeros((len(voted), 10), np.int64)
    for row, label in enumerate(voted):
        votes[row, face_data.VOTED_COLUMNS[label]] = 10
    count = len(labels)
    return face_data.FaceSet(
        np.zeros((count, 48, 48), np.uint8), np.array(labels), votes, np.zeros(count, bool)
    )


def sure(*labels: int) -> "torch.Tensor":
    return 5 * torch.nn.functional.one_hot(torch.tensor(labels), 7).float()


@pytest.mark.parametrize("architecture", [FaceNet, FaceMobileNet])
def test_the_released_network_answers_what_the_two_heads_give_together(architecture: type) -> None:
    network = architecture(14, width=8, depth=2).eval()
    choice = face_heads.Choice(0.3, 0.4, 0, 0, 0)
    images = torch.randn(3, 1, 48, 48)
    with torch.no_grad():
        both = network(images).view(3, 2, 7)
        wanted = face_heads.combined(both, 0.3, 0.4, SHARES)
        given = face_heads.released(network, choice, SHARES)(images)
    assert torch.allclose(wanted, given, atol=1e-5)


@pytest.mark.parametrize(("view", "mix"), [("labels", 0), ("raters", 1)])
def test_each_view_takes_the_head_that_serves_it(view: face_heads.View, mix: float) -> None:
    labels, votes = [0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0]
    heads = torch.cat([sure(*labels), sure(*votes)], 1)
    choice = face_heads.choose(heads, faces(labels, votes), SHARES, view)
    assert abs(choice.mix - mix) < 0.5


def test_balance_moves_the_answer_towards_rare_labels() -> None:
    close = torch.zeros(1, 14)
    close[0, [3, 10]] = 1.0
    people = faces([1], voted=[1])
    assert face_heads.judge(close, people, 0.5, 0, SHARES).accuracy == 0
    assert face_heads.judge(close, people, 0.5, 1, SHARES).accuracy == 1


def test_without_votes_the_label_head_answers_alone() -> None:
    people = faces([0, 3], voted=[0, 3])
    people.votes[:] = 0
    heads = torch.cat([sure(4, 4), sure(0, 3)], 1)
    assert face_heads.choose(heads, people, SHARES, "labels").mix == 0
