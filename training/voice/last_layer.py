"""Is it enough to fit the last layer anew? `python -m training.voice.last_layer` measures it.

The body of a network that has seen RAVDESS alone stays as it is. A last layer is fitted on what the
body tells of all corpora but one, and mixed with the old one (Wortsman et al. 2022); both are asked
about whole clips of the corpus that was left out, in float. It writes no model.

    ... --weights FILE.pt --model FILE.tflite     of the same network; the card tells how its
                                                  features are normalised
    ... --blocks 3                                the new layer reads earlier blocks, too
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from edge.inference.speech import SpeechEmotion
from training.average import weights_of
from training.common.networks import VoiceNet
from training.voice import corpora, corpora_bank, whole_clips
from training.voice import data as voice_data
from training.voice.corpora import LEFT_OUT, RAVDESS, TEST_ONLY, TRAINING, Signal
from training.voice.corpora_draw import CORPUS_WEIGHTS, training_clips
from training.voice.corpora_targets import ABSENT, Targets, hard_targets, offsets
from training.voice.corpora_task import CorporaTask
from training.voice.left_out_figures import (
    LeftOut,
    cross_fitted_figures,
    figures,
    fit_calibration,
    fit_threshold,
    means,
)
from training.voice.task import masked
from training.voice.teacher import fitted_head
from training.voice.whole_clips import Answers
from training.voice.windows import loudest, pressed
from training.voice.world import webcam

DEFAULT = Path("training/data/last_layer")
WINDOWS = 16_000
"""Of all corpora together, by CORPUS_WEIGHTS."""
PLAIN_SHARE = 0.3
"""So many of them are the loudest two seconds as they are."""
BATCH = 64
DECAY = 3e-3
LOWERED = 1.0
"""A label that a clip's corpus lacks, in logits: less than where the body learns too."""
MIXES = (0.0, 0.5, 0.7, 1.0)
"""How much of the new layer is in the mixture."""
WINDOWS_OF_ACTORS = ("loudest", "pressed", "webcam")
SHARES = (0.0, 0.5)
"""How much of the labels' offsets is kept, see `training.voice.left_out_figures`."""


class Told(NamedTuple):
    """What the body tells of windows."""

    values: Tensor
    """(n, values): of `pooled_blocks`"""
    clips: NDArray[np.int64]
    """(n,): which of the corpus's clips each window is of"""


class Layer(NamedTuple):
    """A last layer."""

    weight: Tensor
    """(labels, values)"""
    bias: Tensor
    """(labels,)"""

    def logits(self, values: Tensor) -> Tensor:
        return values @ self.weight.T + self.bias

    def towards(self, other: "Layer", share: float) -> "Layer":
        """`share` (0..1) of the way to another one, which may read further values."""
        further = other.weight.shape[1] - self.weight.shape[1]
        weight = functional.pad(self.weight, (0, further))
        return Layer(weight.lerp(other.weight, share), self.bias.lerp(other.bias, share))


def network_of(path: Path) -> VoiceNet:
    """A network with a checkpoint's weights, of the width that they have."""
    weights = {k: v.float() if v.is_floating_point() else v for k, v in weights_of(path).items()}
    labels, pooled = weights["classifier.weight"].shape
    network = VoiceNet(labels, weights["stem.0.weight"].shape[1], pooled // 6)
    network.load_state_dict(weights)
    return network.eval()


def pooled_blocks(network: VoiceNet, x: Tensor) -> Tensor:
    """Each channel's mean and maximum over the window, of every block of the body, the last first.

    Those of the last block are what the network's own last layer reads.
    """
    x, found = torch.relu(network.stem(x)), []
    for block in network.body:
        x = block(x)
        found.append(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))
    return torch.cat(found[::-1], 1)


def values_of(network: VoiceNet, blocks: int) -> int:
    """How many of `pooled_blocks` are of the last `blocks` blocks."""
    norms = [block.get_submodule("second.1") for block in network.body]
    return sum(2 * norm.num_features for norm in norms[::-1][:blocks])


def drawn(weights: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """`count` rows, each as often as its weight says, one more or less; in order."""
    places = (np.arange(count) + 0.5) / count
    return np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1)


def told_of_training(network: VoiceNet, task: CorporaTask, count: int) -> Told:
    """Of `count` windows of a task's clips, some as they are, the others recorded anew."""
    random = np.random.default_rng(0)
    clips = random.permutation(drawn(task.weights, count))
    plain, altered = np.split(clips, [round(PLAIN_SHARE * count)])
    parts = []
    for first in range(0, len(plain), BATCH):
        parts.append(pooled_blocks(network, task.plain(plain[first : first + BATCH], random)))
    for first in range(0, len(altered), BATCH):
        inputs = masked(task.altered(altered[first : first + BATCH], random), random)
        parts.append(pooled_blocks(network, inputs))
    return Told(torch.cat(parts), clips)


def told_of_windows(
    network: VoiceNet, device: SpeechEmotion, cut: Iterable[Sequence[Signal]]
) -> Told:
    """Of each clip's windows, with the device's own features."""
    parts, numbers = [], []
    for number, windows in enumerate(cut):
        inputs = np.concatenate([device.inputs(window) for window in windows])
        x = torch.from_numpy(inputs).permute(0, 2, 1)[:, :, None]
        parts.append(pooled_blocks(network, x))
        numbers += [number] * len(windows)
    return Told(torch.cat(parts), np.array(numbers))


def told_of_whole_clips(network: VoiceNet, device: SpeechEmotion, clips: corpora.Clips) -> Told:
    """Of the windows that `whole_clips` cuts."""
    sounds = (corpora.read_sound(path) for path in tqdm(clips.paths, mininterval=5))
    return told_of_windows(network, device, (list(whole_clips.windows(s)) for s in sounds))


def told_of_actors(network: VoiceNet, device: SpeechEmotion, voices: voice_data.VoiceSet) -> Told:
    """Of WINDOWS_OF_ACTORS of RAVDESS's clips, in this order for each clip."""
    numbered = enumerate(voices.clips)
    cut = ([loudest(clip), pressed(clip), webcam(pressed(clip), n)] for n, clip in numbered)
    return told_of_windows(network, device, cut)


def kept(path: Path) -> Told | None:
    """What a file of `keep` holds, if it is there."""
    if not path.exists():
        return None
    with np.load(path) as arrays:
        return Told(torch.from_numpy(arrays["values"]), arrays["clips"])


def keep(path: Path, told: Told) -> Told:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, values=told.values.numpy(), clips=told.clips)
    return told


def task_of(name: str, data: Path, bank: Path, device: SpeechEmotion) -> CorporaTask:
    """One corpus alone, so that no other's voices are behind its own; as the card normalises."""
    task = CorporaTask(data, bank, left_out=[other for other in TRAINING if other != name])
    task.mean = np.array(device.card.input.mean, np.float32)
    task.std = np.array(device.card.input.std, np.float32)
    return task


def fitted(
    told: Mapping[str, Told], clips: Mapping[str, corpora.Clips], decay: float = DECAY
) -> Layer:
    """A last layer on the training windows of these corpora, all windows counting the same."""
    values = torch.cat([told[name].values for name in told])
    mean, spread = values.mean(0), values.std(0) + 1e-3
    everything = corpora.joined([clips[name] for name in told])
    firsts = np.cumsum([0, *(len(clips[name]) for name in told)])
    rows = np.concatenate([told[n].clips + at for n, at in zip(told, firsts, strict=False)])
    lowered = offsets(everything) / ABSENT * LOWERED
    lessons = Targets(hard_targets(everything), lowered, torch.zeros(len(everything), 0))
    weights = torch.full((len(values),), 1 / len(values))
    targets = lessons.rows(torch.from_numpy(rows))
    head = fitted_head((values - mean) / spread, targets, weights, decay)
    weight = head.weight.detach() / spread
    return Layer(weight, head.bias.detach() - weight @ mean)


def without_each(
    told: Mapping[str, Told], clips: Mapping[str, corpora.Clips], decay: float = DECAY
) -> dict[str, Layer]:
    """For each corpus a last layer that was fitted on all training corpora but it."""
    everything = fitted(told, clips, decay)
    layers = dict.fromkeys(TEST_ONLY, everything)
    for name in LEFT_OUT:
        layers[name] = fitted({other: told[other] for other in told if other != name}, clips, decay)
    return layers


def mean_figures(tested: Mapping[str, LeftOut], share: float) -> dict[str, float]:
    """Over all corpora; those that only ever test have what is fitted on the others."""
    known = {name: one for name, one in tested.items() if name in LEFT_OUT}
    found = cross_fitted_figures(known, share)
    fitting = fit_calibration(known.values(), share)
    shifted = [fitting.applied(one) for one in known.values()]
    threshold = fit_threshold(shifted, fitting.temperature)
    for name in tested.keys() - known.keys():
        found[name] = figures(fitting.applied(tested[name]), fitting.temperature, threshold)
    return means(found)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="that saw RAVDESS alone")
    parser.add_argument("--model", type=Path, required=True, help="the same network, with its card")
    parser.add_argument("--data", type=Path, default=corpora.DATA)
    parser.add_argument("--bank", type=Path, default=corpora_bank.DEFAULT)
    parser.add_argument("--kept", type=Path, default=DEFAULT, help="what the body tells of all")
    parser.add_argument("--blocks", type=int, default=1, help="so many last ones the layer reads")
    parser.add_argument("--decay", type=float, default=DECAY, help="of the new layer's weights")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


@torch.no_grad()
def told_of_all(options: argparse.Namespace, network: VoiceNet) -> tuple[dict[str, Told], ...]:
    """Of each training corpus's training windows, of all others' whole clips, of actors 17-20."""
    device, folder = SpeechEmotion(options.model), options.kept
    total = sum(CORPUS_WEIGHTS[name] for name in TRAINING)
    taught, asked = {}, {}
    for name in TRAINING:
        path = folder / f"training-{name}.npz"
        count = round(WINDOWS * CORPUS_WEIGHTS[name] / total)
        taught[name] = kept(path) or keep(
            path,
            told_of_training(network, task_of(name, options.data, options.bank, device), count),
        )
    for name in (*LEFT_OUT, *TEST_ONLY):
        path = folder / f"whole-{name}.npz"
        clips = corpora.read(options.data, name)
        asked[name] = kept(path) or keep(path, told_of_whole_clips(network, device, clips))
    path = folder / "actors.npz"
    voices = voice_data.load(options.data / RAVDESS.name, voice_data.VALIDATION_ACTORS)
    actors = kept(path) or keep(path, told_of_actors(network, device, voices))
    return taught, asked, {RAVDESS.name: actors}


def read_by(told: Mapping[str, Told], values: int) -> dict[str, Told]:
    """The first `values` of what the body tells of each corpus."""
    return {name: one._replace(values=one.values[:, :values]) for name, one in told.items()}


def tested_by(
    layers: Mapping[str, Layer], asked: Mapping[str, Told], clips: Mapping[str, corpora.Clips]
) -> dict[str, LeftOut]:
    """What each corpus's layer says of its whole clips."""
    logits = {name: layers[name].logits(told.values).numpy() for name, told in asked.items()}
    return {n: LeftOut(clips[n], Answers(logits[n], told.clips)) for n, told in asked.items()}


def right_about_actors(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> str:
    """The accuracy of each of WINDOWS_OF_ACTORS, as text."""
    right = logits.argmax(1).reshape(len(labels), -1) == labels[:, None]
    found = zip(WINDOWS_OF_ACTORS, right.mean(0), strict=True)
    return "; ".join(f"{kind} {share:.1%}" for kind, share in found)


@torch.no_grad()
def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    network = network_of(options.weights)
    values = values_of(network, options.blocks)
    taught, asked, actors = (read_by(told, values) for told in told_of_all(options, network))
    clips = {name: corpora.read(options.data, name) for name in (*TRAINING, *TEST_ONLY)}
    labels = voice_data.load(options.data / RAVDESS.name, voice_data.VALIDATION_ACTORS).labels
    lessons = {name: training_clips(clips[name]) for name in TRAINING}
    with torch.enable_grad():
        new = without_each(taught, lessons, options.decay)
    old = Layer(network.classifier.weight.detach(), network.classifier.bias.detach())
    for mix in MIXES:
        mixed = {name: old.towards(layer, mix) for name, layer in new.items()}
        tested = tested_by(mixed, asked, clips)
        of_actors = mixed[TEST_ONLY[0]].logits(actors[RAVDESS.name].values).numpy()
        for share in SHARES:
            fitting = fit_calibration([tested[name] for name in LEFT_OUT], share)
            found = mean_figures(tested, share)["unweighted_average_recall"]
            known = right_about_actors(of_actors + fitting.offsets, labels)
            print(f"{mix:.0%} of the new layer, {share:.0%} of the offsets: {found:.1%} right,")
            print(f"    mean over corpora and labels; actors 17-20: {known}", flush=True)


if __name__ == "__main__":
    main()
