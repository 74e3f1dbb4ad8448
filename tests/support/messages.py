"""One message of each type, as the product would send it."""

from typing import Any

from edge.bus import messages
from edge.bus.messages import TOPICS, Message

HEADER = {"t_ns": 123, "time": 1.5}
EXAMPLES: dict[str, dict[str, Any]] = {
    "face": {
        "frame_seq": 7,
        "frame_size": (640, 480),
        "faces": [
            messages.FaceResult(
                id=1,
                box=(1.0, 2.0, 3.0, 4.0),
                emotion="happy",
                confidence=0.9,
                scores={"happy": 0.9},
                valence=0.78,
                arousal=0.24,
            )
        ],
        "inference_ms": 5.0,
    },
    "recording": {"phase": "recording", "elapsed_s": 0.5, "level_dbfs": -20.0},
    "audio": {
        "trigger": "key",
        "duration_s": 2.0,
        "speech": True,
        "emotion": "calm",
        "confidence": 0.5,
        "scores": {"calm": 0.5},
        "level_dbfs": -20.0,
        "inference_ms": 5.0,
    },
    "emotion": {"emotion": "calm", "confidence": 0.5, "scores": {"calm": 0.5}, "face_age_s": 0.1},
    "change": {"previous": "nobody", "emotion": "happy", "lasted_s": 2.5},
    "health": {
        "state": "ok",
        "rate_hz": 30.0,
        "dropped": 0,
        "rss_mb": 20.0,
        "uptime_s": 1.0,
        "version": "0",
    },
    "preview": {"frame_seq": 7, "size": (320, 240), "jpeg": b"\xff\xd8\xff\xd9"},
    "mark": {"text": "film begins"},
    "press": {"trigger": "button"},
}


def example(topic: str) -> Message:
    kind = TOPICS[topic].message
    fields = EXAMPLES[topic.partition(".")[0]]
    return kind(**HEADER, **fields)
