"""`emotion-edge lsl`: a device's results as streams of the Lab Streaming Layer.

Runs on the researcher's computer, beside its recorder. A sample's time is that of the capture: by
this computer's clock, less the age that the client knows from the device's clock and its offset.
"""

import time
from pathlib import Path

from edge.bus.messages import (
    EMOTION_LABELS,
    FACE_LABELS,
    AudioMessage,
    Change,
    Emotion,
    FaceMessage,
    Mark,
)
from edge.client import Received, Subscription
from edge.commands.text import print_line
from edge.devices.lsl import Outlet, library
from edge.errors import ExitCode
from edge.recordings.table import NOTICE

TOPICS = ("face", "emotion", "audio", "change", "mark")
FACE_CHANNELS = ("id", *FACE_LABELS, "valence", "arousal", "x", "y", "w", "h")
EMOTION_CHANNELS = (*EMOTION_LABELS, "valence", "arousal")
STREAMS = ("face", "emotion", "voice", "marks")


class Streams:
    """The outlets of one device."""

    def __init__(self, device: str) -> None:
        """`device`: its name in the messages."""

        def outlet(name: str, kind: str, *channels: str) -> Outlet:
            return Outlet(
                f"EmotionEdge-{name}", kind, channels, f"emotion-edge-{device}-{name}", NOTICE
            )

        self._face = outlet("face", "Emotion", *FACE_CHANNELS)
        self._emotion = outlet("emotion", "Emotion", *EMOTION_CHANNELS)
        self._voice = outlet("voice", "Markers")
        self._marks = outlet("marks", "Markers")

    def push(self, received: Received) -> None:
        """A sample for each face; one for anything else."""
        message, age_s = received.message, received.age_s
        if isinstance(message, FaceMessage):
            for face in message.faces:
                scores = (face.scores.get(label, 0.0) for label in FACE_LABELS)
                self._face.push([face.id, *scores, face.valence, face.arousal, *face.box], age_s)
        elif isinstance(message, Emotion):
            scores = (message.scores.get(label, 0.0) for label in EMOTION_LABELS)
            self._emotion.push([*scores, message.valence, message.arousal], age_s)
        elif isinstance(message, AudioMessage):
            self._voice.push([message.emotion or "no speech"], age_s)
        elif isinstance(message, Change):
            self._marks.push([f"change: {message.previous} > {message.emotion}"], age_s)
        elif isinstance(message, Mark):
            self._marks.push([f"mark: {message.text}"], age_s)


def lsl(endpoint: str, key: Path | None, duration_s: float | None) -> int:
    """Push until Ctrl-C. Returns the exit code. Raises LslError, BusError, KeysError."""
    streams: dict[str, Streams] = {}
    end_s = float("inf") if duration_s is None else time.monotonic() + duration_s
    with Subscription(endpoint, TOPICS, key) as device:
        print_line(f"{library()}: waiting for {endpoint}; Ctrl-C ends")
        while (left_s := end_s - time.monotonic()) > 0:
            for received in device.wait(min(left_s, 0.5)):
                name = received.message.device
                if name not in streams:
                    streams[name] = Streams(name)
                    print_line(f"{name}: {', '.join(f'EmotionEdge-{one}' for one in STREAMS)}")
                streams[name].push(received)
    return ExitCode.OK
