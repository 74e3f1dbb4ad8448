"""Face and voice fused, through the device's own code: `python -m training.fusion.evaluate`.

Fits the reliabilities on FER2013 PublicTest and RAVDESS actors 17-20, then measures 1,000 random
pairs of FER2013 PrivateTest and actors 21-24, and writes both into models_tflite/fusion.json.
`--validation-only` leaves the test sets alone; `--check` writes nothing and compares.
"""

import argparse
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tqdm import tqdm

from edge.bus.messages import FACE_LABELS
from edge.config import FusionConfig
from edge.inference.card import FusionCard, load_fusion_card
from edge.inference.face_emotion import FaceEmotion
from edge.inference.speech import SpeechEmotion
from edge.policy.fusion import Opinion, Rules, fuse
from training.common import metrics
from training.common.cards import MODELS
from training.common.compare import flat, unlike
from training.face import data as face_data
from training.fusion import fit as fusion_fit
from training.fusion.fit import Pairs, Reliabilities, Rows, Scores
from training.voice import data as voice_data
from training.voice.windows import pressed

CARD = Path("models_tflite/fusion.json")
COUNT, SEED = 1000, 2026
HALF_LIFE_S = FusionConfig().voice_half_life_s
AGES_S = (0.0, HALF_LIFE_S, 3 * HALF_LIFE_S)
TOLERANCE = 0.005
PROTOCOL = (
    "Reliabilities fitted on FER2013 PublicTest faces and RAVDESS actors 17-20, paired at random; "
    "measured once on 1,000 pairs of PrivateTest and actors 21-24 (seed 2026), a face with a "
    "voice ('pressed' window) of the same emotion. Seven classes: calm counts as neutral. "
    "'voice wrong': a voice of another emotion, the face's is true. 'face wrong': the reverse."
)


class Sides:
    """Scores and labels of some faces and some voices."""

    def __init__(
        self,
        face: FaceEmotion,
        faces: face_data.FaceSet,
        voice: SpeechEmotion,
        voices: voice_data.VoiceSet,
    ) -> None:
        seen = np.stack([face.logits(image) for image in tqdm(faces.images, "faces")])
        heard = np.stack([voice.logits(pressed(clip)) for clip in tqdm(voices.clips, "voices")])
        self.face = face.scores(seen).astype(np.float64)
        self.voice = metrics.softmax(heard, voice.card.temperature)
        self.voice_labels = voice.labels
        self.faces: Rows = np.asarray(faces.labels, np.int64)
        spelled = np.array([fusion_fit.face_label(name) for name in voice.labels])
        self.voices: Rows = spelled[voices.labels]

    @property
    def voice_as_seven(self) -> Scores:
        return fusion_fit.seven(self.voice, self.voice_labels)

    def opinions(self, face: int, voice: int, age_s: float) -> tuple[Opinion, Opinion]:
        """What the two networks say, as the device hears it."""
        return (
            Opinion(dict(zip(FACE_LABELS, self.face[face].tolist(), strict=True)), 0.0),
            Opinion(dict(zip(self.voice_labels, self.voice[voice].tolist(), strict=True)), age_s),
        )


def answer(scores: dict[str, float]) -> int:
    """The best of the seven."""
    return int(np.argmax(fusion_fit.seven(np.array([list(scores.values())]), tuple(scores))[0]))


def share(answers: list[int], pairs: Pairs) -> float:
    return round(float((np.array(answers) == pairs.truth).mean()), 4)


def of_pairs(sides: Sides, pairs: Pairs, rules: Rules) -> dict[str, Any]:
    """Each side alone and both fused, through `edge.policy.fusion`."""
    both = list(zip(pairs.faces.tolist(), pairs.voices.tolist(), strict=True))

    def fused(age_s: float) -> float:
        heard = [sides.opinions(*pair, age_s) for pair in both]
        return share([answer(fuse(face, voice, rules)) for face, voice in heard], pairs)

    said = [sides.opinions(*pair, 0.0) for pair in both]
    face = share([answer(fuse(face, None, rules)) for face, _ in said], pairs)
    voice = share([answer(fuse(None, voice, rules)) for _, voice in said], pairs)
    by_age = {f"fused, voice {age_s:g} s old": fused(age_s) for age_s in AGES_S}
    return {
        "samples": len(both),
        "face alone": face,
        "voice alone": voice,
        **by_age,
        "gain over the better": round(by_age[f"fused, voice {AGES_S[0]:g} s old"]
                                      - max(face, voice), 4),
    }  # fmt: skip


def figures(name: str, sides: Sides, rules: Rules) -> dict[str, Any]:
    random = np.random.default_rng(SEED)
    right = fusion_fit.agreeing(sides.faces, sides.voices, COUNT, random)
    sets = {
        name: right,
        f"{name}, voice wrong": fusion_fit.with_wrong_voice(right, sides.voices, random),
        f"{name}, face wrong": fusion_fit.with_wrong_face(right, sides.faces, random),
    }
    return {title: of_pairs(sides, pairs, rules) for title, pairs in sets.items()}


def by_label(values: Scores, labels: tuple[str, ...]) -> dict[str, float]:
    return {name: round(float(values[fusion_fit.face_label(name)]), 3) for name in labels}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--face", type=Path, default=MODELS["face"])
    parser.add_argument("--voice", type=Path, default=MODELS["voice"])
    parser.add_argument("--data", type=Path, default=Path("training/data"))
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--validation-only", action="store_true")
    how.add_argument("--check", action="store_true", help="compare with the card, write nothing")
    return parser.parse_args()


def measured(options: argparse.Namespace) -> FusionCard:
    face, voice = FaceEmotion(options.face), SpeechEmotion(options.voice)

    def sides(usage: int, actors: range) -> Sides:
        faces = face_data.load(options.data / "fer2013.npz", usage)
        return Sides(face, faces, voice, voice_data.load(options.data / "ravdess_16k", actors))

    known = sides(face_data.PUBLIC, voice_data.VALIDATION_ACTORS)
    by: Reliabilities = fusion_fit.choose(
        known.face, known.faces, known.voice_as_seven, known.voices, SEED
    )
    spoken, seen = by_label(by.voice, voice.labels), by_label(by.face, FACE_LABELS)
    rules = Rules(seen, spoken, HALF_LIFE_S)
    found = figures("PublicTest with actors 17-20", known, rules)
    if not options.validation_only:
        unseen = sides(face_data.PRIVATE, voice_data.TEST_ACTORS)
        found |= figures("PrivateTest with actors 21-24", unseen, rules)
    return FusionCard(
        face_sha256=face.card.sha256, voice_sha256=voice.card.sha256, face_reliability=seen,
        voice_reliability=spoken, protocol=PROTOCOL, figures=found,
    )  # fmt: skip


def numbers(card: FusionCard) -> dict[str, float]:
    fitted = {"face": card.face_reliability, "voice": card.voice_reliability}
    return dict(flat({**fitted, **card.figures}))


def check(told: FusionCard, found: FusionCard) -> None:
    """Exit with what differs, if anything does."""
    lines = unlike(numbers(told), numbers(found), TOLERANCE)
    if (told.face_sha256, told.voice_sha256) != (found.face_sha256, found.voice_sha256):
        lines.append("it is of other networks")
    if lines:
        raise SystemExit("\n".join([f"{CARD} is not what was measured:", *lines]))
    print(f"every figure of {CARD} is as it says (+-{TOLERANCE:.1%})")


def main() -> None:
    options = parse()
    found = measured(options)
    for name, values in found.figures.items():
        print(f"{name}: {', '.join(f'{k} {v}' for k, v in values.items())}")
    if options.check:
        check(load_fusion_card(CARD), found)
    else:
        CARD.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


if __name__ == "__main__":
    main()
