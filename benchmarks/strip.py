"""What the product recognises in a video, over time: `python -m benchmarks.strip CLIP OUT.png`.

Runs `emotion-edge run --camera CLIP`, and listens to the frames and to `face` as any process does.
The image shows some frames with the face's label, and below them its scores over time.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import matplotlib as mpl
import numpy as np
import zmq
from numpy.typing import NDArray

from benchmarks.product import Product, running, settings
from edge.bus.frames import FrameSubscriber
from edge.bus.messages import FaceMessage, FaceResult
from edge.config import CameraConfig
from edge.overlay.bars import colour_of

mpl.use("Agg")
from matplotlib import pyplot as plt

FRAMES = 9
TAIL_S = 0.5
"""The video begins again at its end; its last moments are left out."""
TALLEST_PX = 220


class Moment(NamedTuple):
    """A frame and the largest face in it."""

    t_s: float
    image: NDArray[np.uint8]
    face: FaceResult


def watched(product: Product, duration_s: float) -> list[Moment]:
    """Every frame that was received with its result."""
    frames = FrameSubscriber(product.config.endpoint("frames"))
    images: dict[int, NDArray[np.uint8]] = {}
    faces: dict[int, tuple[int, FaceResult]] = {}
    poller = zmq.Poller()
    for socket in (frames.socket, product.subscriber.socket):
        poller.register(socket, zmq.POLLIN)
    first_ns = last_ns = 0
    while last_ns - first_ns < duration_s * 1e9 and poller.poll(20_000):
        if frames.socket.poll(0) and (frame := frames.receive()):
            images[frame.seq] = frame.image
        for _, message in product.subscriber.receive() if product.subscriber.socket.poll(0) else ():
            if isinstance(message, FaceMessage):
                last_ns, first_ns = message.t_ns, first_ns or message.t_ns
                for face in message.faces[:1]:
                    faces[message.frame_seq] = (message.t_ns, face)
    frames.close()
    both = sorted(images.keys() & faces.keys())
    return [Moment((faces[n][0] - first_ns) / 1e9, images[n], faces[n][1]) for n in both]


def cut(moment: Moment) -> NDArray[np.uint8]:
    """The face with a little around it, as a square, RGB."""
    x, y, w, h = moment.face.box
    height, width = moment.image.shape[:2]
    side = int(min(1.5 * max(w, h), height, width))
    left = int(np.clip(x + w / 2 - side / 2, 0, width - side))
    top = int(np.clip(y + h / 2 - side / 2, 0, height - side))
    part = moment.image[top : top + side, left : left + side]
    small = cv2.resize(part, (TALLEST_PX, TALLEST_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)


def ink(emotion: str) -> tuple[float, float, float]:
    """The overlay's colour of an emotion, as matplotlib takes it."""
    blue, green, red = colour_of(emotion)
    return red / 255, green / 255, blue / 255


def draw(moments: list[Moment], path: Path) -> None:
    duration_s = moments[-1].t_s
    figure = plt.figure(figsize=(13, 5), layout="constrained")
    rows: Any = figure.add_gridspec(2, FRAMES, height_ratios=(1, 1.6))
    below = figure.add_subplot(rows[1, :])
    times = np.array([moment.t_s for moment in moments])
    for column, wanted_s in enumerate((np.arange(FRAMES) + 0.5) * duration_s / FRAMES):
        moment = moments[int(np.abs(times - wanted_s).argmin())]
        axes = figure.add_subplot(rows[0, column])
        axes.imshow(cut(moment))
        axes.set_axis_off()
        axes.set_title(f"{moment.face.emotion} {moment.face.confidence:.0%}", fontsize=10)
        below.axvline(moment.t_s, color="#cccccc", linewidth=0.8)
    for label in moments[0].face.scores:
        scores = [moment.face.scores[label] for moment in moments]
        below.plot(times, scores, color=ink(label), label=label, linewidth=1.6)
    below.set(xlim=(0, duration_s), ylim=(0, 1), xlabel="time, s", ylabel="score")
    below.spines[["top", "right"]].set_visible(False)
    below.legend(
        frameon=False,
        ncols=len(moments[0].face.scores),
        loc="lower center",
        bbox_to_anchor=(0.5, 1),
    )
    figure.savefig(path, dpi=90, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    film = cv2.VideoCapture(str(options.clip))
    duration_s = film.get(cv2.CAP_PROP_FRAME_COUNT) / film.get(cv2.CAP_PROP_FPS)
    config = settings(camera=CameraConfig(source=str(options.clip.resolve())))
    with running(config, "--screen", "none") as product:
        draw(watched(product, duration_s - TAIL_S), options.out)


if __name__ == "__main__":
    main()
