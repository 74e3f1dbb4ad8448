"""Results over time, through the detectors and the networks of the device."""

import itertools

import numpy as np
import pytest

from benchmarks import steadiness
from benchmarks.labels import delays
from edge.bus.messages import FaceResult
from edge.config import AudioConfig, DetectorConfig, FaceConfig
from edge.devices.microphone.sound_file import read_sound
from edge.inference.appearance import appearance
from edge.inference.yunet import YUNET_PATH
from edge.pipeline.face import FaceAnalyzer
from edge.pipeline.voice import VoiceAnalyzer
from edge.policy.tracking import SAME_FACE
from tests.support.camera import make_image
from tests.support.models import research_data

KINDS = [
    pytest.param(
        "yunet", marks=pytest.mark.skipif(not YUNET_PATH.exists(), reason="no YuNet weights")
    ),
    "haar",
]


def analyzed(frames: list[np.ndarray], kind: steadiness.Kind = "haar") -> list[list[FaceResult]]:
    """The faces of each frame, 30 a second."""
    now = [0.0]
    config = FaceConfig(detector=DetectorConfig(kind=kind))
    analyzer = FaceAnalyzer.from_config(config, 1, clock=lambda: now[0])
    found = []
    for number, frame in enumerate(frames):
        now[0] = number / 30
        found.append(analyzer.analyze(frame, now[0]))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("still", ["a still photograph", "the same at 480x448"])
def test_a_box_on_a_still_photograph_moves_by_a_pixel_at_most(
    still: str, kind: steadiness.Kind
) -> None:
    frames = next(frames for name, frames in steadiness.stills() if name == still)[:90]
    boxes = [[face.box for face in faces] for faces in analyzed(frames, kind)]
    assert {len(found) for found in boxes} == {1}
    assert np.ptp([found[0] for found in boxes[30:]], axis=0).max() <= 1.0


@pytest.mark.data
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_on_a_film_boxes_keep_up_and_labels_do_not_blink(kind: steadiness.Kind) -> None:
    path = research_data(str(steadiness.FILM))
    shown = steadiness.followed(kind, *steadiness.film(path))
    assert steadiness.lag_frames(*steadiness.boxes(shown)) <= 1.0
    before, after = steadiness.without_memory(shown), steadiness.published(shown)
    assert min(run.lasts_s for run in after[:-1]) >= 0.4
    assert max(delays(before, after)) <= 0.3
    gaps = [new.t_s - old.t_s for old, new in itertools.pairwise(shown)]
    assert len({one.face.id for one in shown}) == 1 + sum(gap > FaceConfig().hold_s for gap in gaps)


def test_after_a_cut_a_face_in_the_same_place_has_a_new_id_and_its_own_scores() -> None:
    """The other scene: the same photograph mirrored around the face, in front of stripes."""
    first = make_image(480, 480)
    other = first[:, ::-1].copy()
    other[:, :150] = other[::-1, :150]
    shift = round(sum(find_x(first)) - sum(find_x(other))) // 2
    other = np.roll(other, shift, axis=1)
    (before,), (after,) = analyzed([first] * 30 + [other])[-2:]
    assert abs(before.box[0] - after.box[0]) < 0.3 * before.box[2]
    assert before.id != after.id
    (alone,) = analyzed([other])[0]
    assert after.scores == pytest.approx(alone.scores, abs=0.02)
    assert not after.held


def find_x(image: np.ndarray) -> tuple[float, float]:
    """Left and right of the face in an image."""
    ((face,),) = analyzed([image])
    return face.box[0], face.box[0] + face.box[2]


@pytest.mark.data
def test_another_person_in_the_same_place_is_somebody_else() -> None:
    archive = np.load(research_data("fer2013.npz"))
    faces = archive["images"][archive["usage"] == 1][:400]
    looks = [appearance(face) for face in faces]
    pairs = list(itertools.pairwise(looks))
    assert np.mean([float(a @ b) < SAME_FACE for a, b in pairs]) > 0.9


@pytest.mark.data
def test_a_recording_is_answered_for_itself_alone_whatever_came_before() -> None:
    folder = research_data("ravdess_16k") / "Actor_01"
    clips = [read_sound(path) for path in sorted(folder.glob("03-01-0[345]-02-01-01-01.flac"))]
    analyzer = VoiceAnalyzer.from_config(AudioConfig(), 1)
    one_after_the_other = [analyzer.analyze(clip, rate_hz) for clip, rate_hz in clips]
    alone = [VoiceAnalyzer.from_config(AudioConfig(), 1).analyze(*clip) for clip in clips]
    assert len(clips) == 3
    assert one_after_the_other == alone
