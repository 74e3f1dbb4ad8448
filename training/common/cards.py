"""What the cards say besides figures: licences, limits, and where the training data's faces lie."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from edge.inference.card import Card, card_path

MODELS = {
    "face": Path("models_tflite/face_emotion.tflite"),
    "voice": Path("models_tflite/voice_emotion.tflite"),
    "activity": Path("models_tflite/speech_activity.tflite"),
}
"""The files that ship, by their task."""
BASELINES = Path("training/baseline")
"""What they are compared with, by names that begin with the task."""
# The released networks before int8, by the same file names.
FLOAT = Path(__file__).parents[1] / "float"

NOT_FOR = (
    "inferring emotions at work or in education (prohibited in the EU: AI Act, article 5(1)(f))",
    "decisions about people: hiring, credit, insurance, policing, border control, health",
    "telling what somebody feels: it tells what an expression looks or sounds like to raters",
)
FACE_FAILURES = (
    "Faces that look down, aside or away: FER2013 holds few of them, and detectors miss them.",
    "Fear and surprise, sadness and neutrality are taken for each other, as people do: FER2013's "
    "labels and ten FER+ raters agree on 63 % of the images.",
    "The nearer the share is to FER2013's labels, the more people who look neutral are called sad, "
    "angry or afraid; the nearer to the raters, the fewer faces are called fearful or disgusted.",
    "Glasses drawn on PublicTest's faces cost 7 points of the labels and 5 of the raters' "
    "majority; faces of 16 to 32 px cost 5 of either.",
    "Children, old people, beards, make-up and dark skin were not measured apart: FER2013 does not "
    "name them.",
    "Posed and strong expressions, as photographs show them; small ones look neutral to it.",
)
VOICE_FAILURES = (
    "RAVDESS is 24 actors of North America who say the same two sentences: other languages, "
    "children, old people and feelings that nobody plays were not measured.",
    "Happy and sad are the weakest: happy passes for surprised or neutral, sad for calm; calm "
    "passes for neutral, fearful for sad, disgust for angry.",
    "It suits some speakers better than others, and quiet rooms better than echoing ones.",
    "Only the first two seconds of a recording are heard; speech that begins late is cut off.",
)
ACTIVITY_FAILURES = (
    "Single words out of a game's recordings are refused more often than sentences.",
    "Singing, and music with voices or voice-like instruments, is taken for speech at times.",
    "Whispering, shouting, crying and laughing were not measured.",
)
FACE_LICENCE = (
    "Weights trained on FER2013 (Goodfellow et al. 2013: no licence was published with it; "
    "research use) with FER+ votes (Barsoum et al. 2016, MIT)."
)
VOICE_LICENCE = (
    "Weights trained on RAVDESS (Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391, "
    "CC BY-NC-SA 4.0): non-commercial use only, under the same terms."
)
ACTIVITY_LICENCE = (
    f"{VOICE_LICENCE} Also on speech and music of Debian packages (the Asterisk prompts, "
    "KTuberling, Wesnoth, LinCity-NG and hold music: each under its package's terms)."
)
# Measured on FER2013's images: shares of the side of the 48x48 square.
FACE_CROP = {"eyes_apart": 0.374, "eyes_height": 0.380, "mouth_height": 0.759}


def write_model(path: Path, content: bytes, fields: dict[str, Any]) -> None:
    """Write a model and its card with no figures yet: `training.evaluate` measures those."""
    path.write_bytes(content)
    unmeasured = {
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "temperature": 1.0,
        "reliability": dict.fromkeys(fields["labels"], 1.0),
        "figures": {},
        "not_for": NOT_FOR,
    }
    write_card(path, msgspec.convert({**fields, **unmeasured}, Card))


def write_card(model: Path, card: Card) -> None:
    text = msgspec.json.format(msgspec.json.encode(card), indent=1)
    card_path(model).write_bytes(text + b"\n")
