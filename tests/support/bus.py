"""What a device's processes would publish, and the mqtt process that passes it on."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator

from edge.bus.messages import AudioMessage, Change, Emotion, FaceMessage
from edge.bus.pubsub import Publisher
from edge.config import Config
from tests.support.harness import emotion_edge, write_config
from tests.support.messages import EXAMPLES

RATE_HZ = 30


@contextlib.contextmanager
def service(config: Config) -> Iterator["subprocess.Popen[str]"]:
    """`emotion-edge mqtt`, as systemd starts it."""
    file = write_config(config, config.directory / "mqtt.json")
    with emotion_edge("mqtt", "--config", file, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


class Bus:
    """What camera, face, fusion and audio would publish."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def face(self, label: str = "happy", confidence: float = 0.9) -> None:
        now = {"t_ns": time.monotonic_ns(), "time": time.time()}
        emotion = {
            "emotion": label,
            "confidence": confidence,
            "scores": {label: confidence},
            "face_age_s": 0.03,
        }
        self._publisher.publish("face", FaceMessage(**now, **EXAMPLES["face"]))
        self._publisher.publish("emotion", Emotion(**now, **emotion))  # type: ignore[arg-type]

    def faces_for(self, seconds: float, label: str = "happy", confidence: float = 0.9) -> None:
        """At the rate of a camera."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.face(label, confidence)
            time.sleep(1 / RATE_HZ)

    def change(self, previous: str, emotion: str) -> None:
        now = {"t_ns": time.monotonic_ns(), "time": time.time()}
        change = Change(**now, previous=previous, emotion=emotion, lasted_s=3.0)  # type: ignore[arg-type]
        self._publisher.publish("change", change)

    def voice(self, number: int) -> None:
        now = {"t_ns": time.monotonic_ns(), "time": time.time()}
        fields = {**EXAMPLES["audio"], "duration_s": float(number), "level_dbfs": -float(number)}
        self._publisher.publish("audio", AudioMessage(**now, **fields))
