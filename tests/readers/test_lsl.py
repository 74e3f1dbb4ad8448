"""`emotion-edge lsl` as a recorder of the Lab Streaming Layer sees it: liblsl's own inlets."""

import time

import msgspec
import pytest

pylsl = pytest.importorskip("pylsl", reason="no pylsl: pip install -e '.[lsl]'")

from edge.bus.messages import FACE_LABELS
from edge.commands.lsl import FACE_CHANNELS
from edge.config import Config
from edge.recordings.table import NOTICE
from tests.support.harness import emotion_edge, publishing
from tests.support.messages import example

AGE_S = 0.4


def inlet_of(name: str) -> "pylsl.StreamInlet":
    (stream,) = pylsl.resolve_bypred(f"source_id='emotion-edge-test-{name}'", 1, 30)
    inlet = pylsl.StreamInlet(stream)
    inlet.open_stream(30)
    return inlet


def test_every_stream_has_its_samples_at_the_time_of_their_capture(
    with_gateway: Config,
) -> None:
    endpoint = with_gateway.gateway.local
    with (
        emotion_edge("lsl", endpoint, "--duration", "60") as client,
        publishing(with_gateway) as bus,
    ):

        def publish(topic: str, **changes: object) -> float:
            """Returns when it was captured, by liblsl's clock."""
            t_ns = time.monotonic_ns() - round(AGE_S * 1e9)
            captured = {"t_ns": t_ns, "time": time.time() - AGE_S}
            bus.publish(topic, msgspec.structs.replace(example(topic), **captured, **changes))
            return t_ns / 1e9

        assert client.stdout is not None and "waiting" in client.stdout.readline()
        publish("face")
        assert "EmotionEdge-face" in client.stdout.readline()
        face, voice, marks = inlet_of("face"), inlet_of("voice"), inlet_of("marks")
        captured = publish("face")
        sample, timestamp = face.pull_sample(30)
        named = dict(zip(FACE_CHANNELS, sample, strict=True))
        assert named["id"] == 1 and named["happy"] == pytest.approx(0.9)
        assert timestamp == pytest.approx(captured, abs=0.05)
        publish("audio")
        assert voice.pull_sample(30)[0] == ["calm"]
        captured = publish("mark", text="film begins")
        sample, timestamp = marks.pull_sample(30)
        assert sample == ["mark: film begins"]
        assert timestamp == pytest.approx(captured, abs=0.05)
        info = face.info(30)
        assert info.nominal_srate() == pylsl.IRREGULAR_RATE
        assert info.desc().child_value("notice") == NOTICE
        assert info.channel_count() == 1 + len(FACE_LABELS) + 2 + 4
        client.terminate()
