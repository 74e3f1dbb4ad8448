"""Train a network, resumably: `python -m training.train face --run training/runs/face`.

The same on a CPU and a GPU. Every epoch writes RUN/last.pt and a line of RUN/log.csv; starting it
again with the same RUN goes on where it stopped. The weights to convert are the moving average.
"""

import argparse
import csv
import json
import math
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from training.activity import bank as activity_bank
from training.activity.task import ActivityTask
from training.common.networks import FACE_NETWORKS, VOICE_NETWORKS, VoiceNet
from training.face.task import FaceTask
from training.voice import bank as voice_bank
from training.voice import corpora, corpora_bank
from training.voice.corpora_targets import Targets
from training.voice.corpora_task import CorporaTask
from training.voice.data import FOLDS
from training.voice.task import VoiceTask

WARM_UP_SHARE = 0.05
# How much of the targets is the teachers' answer, where there are teachers.
TAUGHT_SHARE = 0.6


def learning_rate(step: int, steps: int, peak: float) -> float:
    """A linear warm-up, then a cosine to zero (Loshchilov & Hutter 2017)."""
    warm = max(1, int(steps * WARM_UP_SHARE))
    if step < warm:
        return peak * (step + 1) / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def follow(average: nn.Module, network: nn.Module, step: int, decay: float) -> None:
    """Move the average a little towards the network; faster at the start, when it knows nothing."""
    keep = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        theirs = network.state_dict()
        for name, value in average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(theirs[name], 1 - keep)
            else:
                value.copy_(theirs[name])


@torch.no_grad()
def logits_of(network: nn.Module, inputs: Tensor, device: torch.device) -> Tensor:
    network.eval()
    return torch.cat([network(part.to(device)).float().cpu() for part in inputs.split(512)])


Task = FaceTask | VoiceTask | CorporaTask | ActivityTask


class Trainer:
    """A network, its moving average and its optimiser, from one epoch to the next."""

    def __init__(self, task: Task, options: argparse.Namespace) -> None:
        torch.manual_seed(options.seed)
        self.task, self.options = task, options
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = self.place(build_network(options))
        if isinstance(task, VoiceTask | CorporaTask):
            task.begin(self.network)
        if options.start:
            start = torch.load(options.start, map_location=self.device, weights_only=True)
            self.network.load_state_dict(start["average"])
        self.average = self.place(build_network(options))
        self.average.load_state_dict(self.network.state_dict())
        self.teachers = [self.place(teacher(run, options)) for run in options.teacher]
        if isinstance(task, FaceTask) and self.teachers:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=options.bf16):
                task.learn_from(self.teachers)
            self.teachers = []
        self.optimiser = task.optimiser(self.network, options.rate)
        self.epoch = 0
        self.steps = task.steps(options.batch) * options.epochs

    def place(self, network: nn.Module) -> nn.Module:
        return network.to(self.device, memory_format=torch.channels_last)

    def loss(self, inputs: Tensor, targets: Tensor | Targets) -> Tensor:
        """The batch's mean loss; teachers' answers are mixed into the targets."""
        if isinstance(targets, Targets):
            assert isinstance(self.task, CorporaTask)
            return self.task.loss(self.network, inputs, targets)
        targets = targets.view(-1, self.task.classes)
        if self.teachers:
            targets = targets.lerp(self.taught(inputs), TAUGHT_SHARE)
        return functional.cross_entropy(self.network(inputs).float().view_as(targets), targets)

    def step(self, inputs: Tensor, targets: Tensor | Targets, number: int) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(number, self.steps, self.options.rate)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.bf16):
            loss = self.loss(inputs, targets)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        follow(self.average, self.network, number, self.options.ema)
        return loss.item()

    @torch.no_grad()
    def taught(self, inputs: Tensor) -> Tensor:
        """The teachers' mean scores on these very inputs (Beyer et al. 2022)."""
        answers = [teacher(inputs).float().view(-1, self.task.classes) for teacher in self.teachers]
        return torch.stack(answers).softmax(2).mean(0)

    def run_epoch(self) -> dict[str, float]:
        """One pass over Training, then the average's accuracy on the validation set."""
        started = time.monotonic()
        self.network.train()
        first = self.epoch * self.task.steps(self.options.batch)
        batches = tqdm(
            self.task.batches(self.options.batch, self.device),
            total=self.task.steps(self.options.batch), desc=f"epoch {self.epoch + 1}",
            mininterval=5,
        )  # fmt: skip
        losses = [self.step(x, y, first + i) for i, (x, y) in enumerate(batches)]
        inputs, labels = self.task.validation()
        logits = self.task.answers(logits_of(self.average, inputs, self.device))
        self.epoch += 1
        return {
            "epoch": self.epoch,
            "loss": round(sum(losses) / len(losses), 4),
            "validation_loss": round(functional.cross_entropy(logits, labels).item(), 4),
            "validation_accuracy": round((logits.argmax(1) == labels).float().mean().item(), 4),
            "seconds": round(time.monotonic() - started, 1),
        }

    def save(self, path: Path) -> None:
        state = {
            "epoch": self.epoch,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
        }
        if isinstance(self.task, CorporaTask):
            state["reader"] = self.task.reader.state_dict()
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def resume(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        if isinstance(self.task, CorporaTask):
            self.task.reader.load_state_dict(state["reader"])
        torch.set_rng_state(state["random"].cpu())
        self.epoch = state["epoch"]


def log(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)


def averaged(run: Path) -> nn.Module:
    """The averaged network of a run, ready to answer."""
    options = argparse.Namespace(**json.loads((run / "options.json").read_text()))
    network = build_network(options)
    state = torch.load(run / "last.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state["average"])
    return network.eval()


def check_held_out(run: Path, options: argparse.Namespace) -> None:
    """SystemExit if the run in this folder may have seen what the options hold out."""
    theirs, ours = json.loads((run / "options.json").read_text()), vars(options)
    for name in ("data", "fold", "leave_out"):
        if str(theirs.get(name)) != str(ours.get(name)):
            raise SystemExit(f"{run}: trained with another --{name}; it may know who is held out")


def teacher(run: Path, options: argparse.Namespace) -> nn.Module:
    """A network to learn from. SystemExit if it may have seen what this run holds out."""
    check_held_out(run, options)
    return averaged(run)


def build_task(options: argparse.Namespace) -> Task:
    """The task that the options describe, with its data loaded."""
    if options.task == "activity":
        return ActivityTask(Path(options.bank))
    if options.task == "corpora":
        return CorporaTask(
            Path(options.data),
            Path(options.bank),
            options.leave_out,
            options.embeddings,
            getattr(options, "also", []),
        )
    if options.task == "voice":
        return VoiceTask(Path(options.data), Path(options.bank), options.fold)
    return FaceTask(Path(options.data))


def build_network(options: argparse.Namespace) -> nn.Module:
    """The network that the options describe, untrained; no data is read for it."""
    if options.task == "activity":
        values = 2 * activity_bank.SETTINGS.coefficients
        return VoiceNet(ActivityTask.classes, values, options.width)
    if options.task in ("voice", "corpora"):
        values = 2 * voice_bank.SETTINGS.coefficients
        return VOICE_NETWORKS[options.architecture](VoiceTask.classes, values, options.width)
    heads = 2 * FaceTask.classes
    return FACE_NETWORKS[options.architecture](heads, options.width, options.depth)


def add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoint and log")
    parser.add_argument(
        "--start", type=Path, help="a checkpoint whose averaged weights to begin with"
    )
    parser.add_argument(
        "--teacher", type=Path, action="append", default=[], help="a run to learn from as well"
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--width", type=int, help="channels of the first block")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--rate", type=float, help="the peak learning rate")
    parser.add_argument("--ema", type=float, help="decay of the moving average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="where the processor has bf16 units")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = parser.add_subparsers(dest="task", required=True)
    face, voice, activity = (tasks.add_parser(name) for name in ("face", "voice", "activity"))
    for task in (face, voice, activity):
        add_common(task)
    face.add_argument("--architecture", choices=list(FACE_NETWORKS), default="residual")
    face.add_argument("--depth", type=int, default=2, help="blocks that keep the size, per stage")
    face.set_defaults(
        data=Path("training/data/fer2013.npz"),
        epochs=80, width=32, batch=128, rate=0.1, ema=0.999,
    )  # fmt: skip
    voice.add_argument("--architecture", choices=list(VOICE_NETWORKS), default="time")
    voice.add_argument(
        "--bank", type=Path, default=voice_bank.DEFAULT, help="of training.voice.bank"
    )
    voice.add_argument(
        "--fold", type=int, choices=range(FOLDS), help="hold out this fifth of all actors"
    )
    voice.set_defaults(
        data=Path("training/data/ravdess_16k"),
        epochs=200, width=96, batch=32, rate=2e-3, ema=0.99,
    )  # fmt: skip
    every = tasks.add_parser("corpora", help="voice, on RAVDESS and further corpora")
    add_common(every)
    every.add_argument(
        "--leave-out", nargs="*", choices=corpora.LEFT_OUT, default=[], help="to be tested on them"
    )
    every.add_argument("--bank", type=Path, default=corpora_bank.DEFAULT)
    every.add_argument(
        "--embeddings", type=Path, help="of training.voice.embeddings, to learn from a teacher"
    )
    every.add_argument(
        "--also", type=Path, nargs="*", default=[], help="folders of training.prepare voice"
    )
    every.set_defaults(
        data=corpora.DATA, architecture="time", epochs=100, width=96, batch=64, rate=2e-3, ema=0.998
    )
    activity.add_argument("--bank", type=Path, default=activity_bank.DEFAULT)
    activity.set_defaults(epochs=20, width=16, batch=64, rate=2e-3, ema=0.99)
    return parser.parse_args()


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    checkpoint = options.run / "last.pt"
    if checkpoint.exists():
        check_held_out(options.run, options)
    trainer = Trainer(build_task(options), options)
    if checkpoint.exists():
        trainer.resume(checkpoint)
    options.run.mkdir(parents=True, exist_ok=True)
    (options.run / "options.json").write_text(json.dumps(vars(options), default=str, indent=1))
    while trainer.epoch < options.epochs:
        row = trainer.run_epoch()
        trainer.save(checkpoint)
        log(options.run / "log.csv", row)
        print(row, flush=True)


if __name__ == "__main__":
    main()
