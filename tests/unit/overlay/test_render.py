"""The image people see: what is drawn, where, and what is left out when it is too old."""

import msgspec
import numpy as np
import pytest

from edge.bus.messages import (
    FACE_LABELS,
    SERVICES,
    VOICE_LABELS,
    AudioMessage,
    Emotion,
    FaceMessage,
    FaceResult,
    HealthMessage,
    RecordingMessage,
)
from edge.language import languages, load_language
from edge.overlay import Snapshot, drawing, natural_size, render
from edge.overlay.bars import COLOURS, certainty, colour_of, small_px
from edge.overlay.drawing import AMBER, GREEN, GREY, RED, Rect
from edge.overlay.layout import lay_out, unit_of
from edge.overlay.marks import drawable
from edge.overlay.panel import MARGIN
from edge.overlay.stage import letterboxed, press_hint
from edge.overlay.timeline import Timeline

S = 1_000_000_000
NOW_NS = 1000 * S
SIZE = natural_size((640, 480))
SIZES = [SIZE, (640, 480), (1280, 720), (1920, 1080), (800, 480), (480, 800), (320, 240)]
PLACES = lay_out(SIZE, 4 / 3, 1, 0)
STAGE = PLACES.stage
SCALE = STAGE.w / 640
IMAGE = np.full((480, 640, 3), 90, np.uint8)


def health(state="ok", detail="", age_s=0.5):
    return HealthMessage(
        t_ns=NOW_NS - round(age_s * S),
        time=0.0,
        state=state,
        detail=detail,
        rate_hz=30.0,
        dropped=0,
        rss_mb=50.0,
        uptime_s=9.0,
        version="0",
    )


def face(box=(200.0, 150.0, 120.0, 140.0), emotion="happy", number=1, held=False):
    scores = {label: 0.9 if label == emotion else 0.1 / 6 for label in FACE_LABELS}
    return FaceResult(id=number, box=box, emotion=emotion, confidence=0.9, scores=scores, held=held)


def faces(*found, age_s=0.01):
    return FaceMessage(
        t_ns=NOW_NS - round(age_s * S),
        time=0.0,
        frame_seq=1,
        frame_size=(640, 480),
        faces=list(found),
        inference_ms=9.0,
    )


def voice(emotion="sad", age_s=4.0, speech=True):
    scores = {label: 0.79 if label == emotion else 0.03 for label in VOICE_LABELS}
    return AudioMessage(
        t_ns=NOW_NS - round(age_s * S),
        time=0.0,
        trigger="key",
        duration_s=2.0,
        speech=speech,
        emotion=emotion if speech else None,
        confidence=0.79 if speech else None,
        scores=scores if speech else None,
        level_dbfs=-30.0,
        inference_ms=5.0,
    )


def emotion(name="happy", face_age_s=0.01, voice_age_s=None):
    return Emotion(
        t_ns=NOW_NS,
        time=0.0,
        emotion=name,
        confidence=0.8,
        scores={},
        face_age_s=face_age_s,
        voice_age_s=voice_age_s,
    )


def recording(phase="idle", elapsed_s=0.0, level_dbfs=None):
    return RecordingMessage(
        t_ns=NOW_NS, time=0.0, phase=phase, elapsed_s=elapsed_s, level_dbfs=level_dbfs
    )


def known(**changes):
    """All is well, an image is 20 ms old, and there is no face and no voice."""
    usual = Snapshot(
        now_ns=NOW_NS,
        since_ns=0,
        health={name: health() for name in SERVICES},
        frame_t_ns=NOW_NS - S // 50,
        recording=recording(),
        rate_hz=30.0,
        lag_ms=18.0,
    )
    return msgspec.structs.replace(usual, **changes)


def count(image, colour, part=None):
    """How many pixels have this colour."""
    seen = image if part is None else part.of(image)
    return int(np.all(seen == colour, axis=2).sum())


def panel_of(image):
    """The cards' column."""
    return Rect(STAGE.right, 0, SIZE[0] - STAGE.right, SIZE[1]).of(image)


def on_screen(x, y, w, h):
    """A part of the frame, px of the screen."""
    return Rect(*(round(SCALE * length) for length in (x, y, w, h)))


def test_a_snapshot_holds_the_newest_message_of_each_topic():
    empty = Snapshot(now_ns=NOW_NS, since_ns=0)
    messages = {
        "face": faces(face()),
        "audio": voice(),
        "recording": recording(),
        "emotion": emotion(),
        "health.hub": health("degraded"),
    }
    full = empty
    for topic, message in messages.items():
        full = full.with_message(topic, message)
    full = full.with_message("health.hub", health()).with_message("health.face", health())
    held = (full.face, full.audio, full.recording, full.emotion)
    assert held == tuple(messages.values())[:4]
    assert full.health == {"hub": health(), "face": health()}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("image", [None, IMAGE], ids=["waiting", "live"])
def test_the_result_has_exactly_the_size_that_was_asked_for(size, image):
    everything = known(face=faces(face()), audio=voice(), emotion=emotion())
    assert render(image, everything, size).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("frame_size", [(640, 480), (640, 360), (480, 640)])
def test_at_its_natural_size_an_image_leaves_no_bars(frame_size):
    size = natural_size(frame_size)
    image = np.full((frame_size[1], frame_size[0], 3), 90, np.uint8)
    drawn = render(image, known(), size)
    stage = lay_out(size, frame_size[0] / frame_size[1], 1, 0).stage
    assert (drawn[[1, 1, -2, -2], [1, -2, 1, -2]] != 90).any(), "the cards are there"
    assert (stage.inset(2).of(drawn)[[0, 0, -1, -1], [0, -1, 0, -1]] == 90).all()


@pytest.mark.parametrize("frame_size", [(1, 480), (10, 10_000), (640, 1), (10_000, 10)])
def test_a_sliver_of_an_image_has_a_window_of_usual_shape(frame_size):
    width, height = natural_size(frame_size)
    assert 1 / 4 < height / width < 4
    image = np.full((frame_size[1], frame_size[0], 3), 255, np.uint8)
    drawn = render(image, known(), (width, height))
    assert count(drawn, (255, 255, 255)) > 0


def test_an_image_is_scaled_whole_and_keeps_its_shape():
    assert letterboxed((640, 480), Rect(0, 0, 1280, 600)) == Rect(240, 0, 800, 600)
    assert letterboxed((640, 480), Rect(0, 0, 480, 600)) == Rect(0, 120, 480, 360)


def test_the_image_given_is_not_drawn_on():
    image = IMAGE.copy()
    image.setflags(write=False)
    render(image, known(face=faces(face())), (640, 586))
    assert (image == 90).all()


def test_a_box_lies_on_its_face_in_the_colour_of_its_emotion():
    drawn = render(IMAGE, known(face=faces(face((200, 150, 120, 140)))), SIZE)
    assert count(drawn, COLOURS["happy"], on_screen(198, 180, 4, 2)) > 0
    assert count(drawn, COLOURS["happy"], on_screen(210, 170, 100, 80)) == 0


def test_every_emotion_has_a_colour_of_its_own():
    labels = {*FACE_LABELS, "calm"}
    assert len({colour_of(label) for label in labels} | {GREY}) == len(labels) + 1


def test_face_and_voice_give_the_same_emotion_the_same_colour():
    assert colour_of("fearful") == colour_of("fear")
    assert colour_of("surprised") == colour_of("surprise")


def test_an_uncertain_face_is_grey():
    drawn = render(IMAGE, known(face=faces(face(emotion="uncertain"))), SIZE)
    assert count(drawn, GREY, STAGE) > 200


def test_nobody_is_told_how_sure_it_is_of_being_uncertain():
    for emotion_of, percent in (("happy", "90%"), ("uncertain", "")):
        assert certainty(load_language(), emotion_of, 0.9) == percent


def test_a_held_face_is_dimmer_and_dashed():
    seen = render(IMAGE, known(face=faces(face())), SIZE)
    held = render(IMAGE, known(face=faces(face(held=True))), SIZE)
    dim = drawing.blend(COLOURS["happy"], drawing.BACKGROUND, 0.5)
    edge = on_screen(198, 170, 4, 100)
    assert count(held, COLOURS["happy"], STAGE) == 0
    assert 0 < count(held, dim, edge) < 0.8 * count(seen, COLOURS["happy"], edge)


@pytest.mark.parametrize(
    "box",
    [(-30, -20, 150, 170), (560, -10, 120, 120), (-40, 380, 140, 160), (540, 370, 140, 150)],
)
def test_a_face_at_the_border_keeps_its_label_inside_the_image(box):
    drawn = render(IMAGE, known(face=faces(face(box))), SIZE)
    middle = render(IMAGE, known(face=faces(face())), SIZE)
    chip_pixels = count(middle, COLOURS["happy"], on_screen(195, 115, 130, 30))
    assert count(drawn, COLOURS["happy"], STAGE) > 0.9 * chip_pixels > 0
    assert count(drawn, COLOURS["happy"]) == count(drawn, COLOURS["happy"], STAGE)


def test_faces_larger_than_the_image_do_not_break_it():
    huge = face((-400, -400, 2000, 2000))
    tiny = face((10, 10, 1, 1), number=2)
    assert render(IMAGE, known(face=faces(huge, tiny)), SIZE).shape == (SIZE[1], SIZE[0], 3)


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("reach", [1e5, 1e9, 1e308])
def test_a_box_of_any_size_is_drawn_where_it_is_seen(reach, held):
    """Its left edge is the same as that of a box that ends within the image."""
    box = (320, -reach, reach, 2 * reach)
    seen = render(IMAGE, known(face=faces(face(box, held=held))), SIZE)
    colour = drawing.blend(COLOURS["happy"], drawing.BACKGROUND, 0.5 if held else 0)
    assert count(seen, colour, on_screen(318, 70, 4, 330)) > 200
    assert count(seen, colour, on_screen(130, 280, 160, 100)) == 0


@pytest.mark.parametrize("box", [(1e308, 1e308, 1e308, 1e308), (9e300, 9e300, -1e308, -1e308)])
def test_a_box_outside_of_the_image_harms_nothing(box):
    assert render(IMAGE, known(face=faces(face(box, held=True))), SIZE).shape == (
        SIZE[1],
        SIZE[0],
        3,
    )


@pytest.mark.parametrize("frame_size", [(0, 0), (0, 480), (-640, 480)])
def test_boxes_in_a_frame_of_no_size_are_not_drawn(frame_size):
    nowhere = msgspec.structs.replace(faces(face()), frame_size=frame_size)
    assert (render(IMAGE, known(face=nowhere), SIZE) == render(IMAGE, known(), SIZE)).all()


def test_scores_that_are_no_shares_fill_their_strip_all_the_same():
    odd = msgspec.structs.replace(face((30, 100, 580, 300)), scores={"sad": -1e308, "happy": 1e-9})
    drawn = render(IMAGE, known(face=faces(odd)), SIZE)
    assert count(drawn, COLOURS["happy"], on_screen(40, 405, 540, 30)) > 1000


def test_long_names_of_emotions_stay_in_their_places():
    long = "wonder" * 33
    drawn = render(
        IMAGE,
        known(face=faces(face(emotion=long)), audio=voice(long), emotion=emotion(long)),
        SIZE,
    )
    microphone = PLACES.microphone
    assert (microphone.of(drawn) == microphone.of(render(IMAGE, known(), SIZE))).all()


def test_in_a_crowd_charts_give_way_to_strips():
    few = [face((20 + 180 * i, 20 + 120 * i, 60, 70), number=i) for i in range(3)]
    crowd = [*few, face((560, 20, 60, 70), number=4)]
    assert count(render(IMAGE, known(face=faces(*few)), SIZE), drawing.TRACK, STAGE) > 1000
    assert count(render(IMAGE, known(face=faces(*crowd)), SIZE), drawing.TRACK, STAGE) == 0


def test_a_face_that_leaves_no_room_for_a_chart_gets_a_strip():
    wide = faces(face((30, 100, 580, 300)))
    drawn = render(IMAGE, known(face=wide), SIZE)
    assert count(drawn, drawing.TRACK, STAGE) == 0
    assert count(drawn, COLOURS["happy"], on_screen(40, 405, 540, 30)) > 1000


def test_a_strip_stands_over_the_label_before_it_hides_a_mouth():
    crowd = [face((40 + 150 * i, 370, 105, 105), number=i) for i in range(4)]
    drawn = render(IMAGE, known(face=faces(*crowd)), SIZE)
    for person in crowd:
        x, y, w, h = person.box
        assert count(drawn, COLOURS["happy"], on_screen(x + 5, y + 5, w - 10, h - 10)) < 60
        assert count(drawn, COLOURS["happy"], on_screen(x, y - 65, w, 30)) > 1000


def test_old_faces_are_not_drawn():
    fresh = render(IMAGE, known(face=faces(face(), age_s=0.4)), SIZE)
    old = render(IMAGE, known(face=faces(face(), age_s=0.6)), SIZE)
    assert count(fresh, COLOURS["happy"], STAGE) > 0
    assert count(old, COLOURS["happy"], STAGE) == 0


def test_an_old_voice_is_not_shown_and_the_card_tells_it_from_none():
    assert count(render(IMAGE, known(audio=voice(age_s=29)), SIZE), COLOURS["sad"]) > 0
    old = known(audio=voice(age_s=31))
    assert old.voice is None
    drawn, before = render(IMAGE, old, SIZE), render(IMAGE, known(), SIZE)
    assert count(drawn, COLOURS["sad"]) == 0
    differing = np.argwhere((drawn != before).any(2))
    (top, left), (foot, right) = differing.min(0), differing.max(0)
    card = PLACES.voice
    assert card.x <= left <= right < card.right and card.y <= top <= foot < card.bottom


def test_a_recording_in_which_nobody_spoke_shows_no_emotion():
    drawn = render(IMAGE, known(audio=voice(speech=False)), SIZE)
    assert count(drawn, COLOURS["sad"]) == 0
    assert (drawn != render(IMAGE, known(), SIZE)).any()


def test_the_fused_emotion_is_large_and_in_its_colour():
    with_it = render(IMAGE, known(emotion=emotion("surprise")), SIZE)
    assert count(with_it, COLOURS["surprise"], PLACES.emotion) > 800
    assert count(render(IMAGE, known(), SIZE), COLOURS["surprise"]) == 0


def test_no_fused_emotion_is_shown_when_nothing_was_used_or_fusion_is_gone():
    assert known(emotion=emotion()).fused is not None
    assert known(emotion=emotion(face_age_s=None)).fused is None
    gone = {**known().health, "fusion": health(age_s=4)}
    assert known(emotion=emotion(), health=gone).fused is None


def test_while_recording_the_time_and_the_level_are_shown():
    quiet = known(recording=recording("recording", 0.5, -55.0))
    loud = known(recording=recording("recording", 0.5, -12.0))
    late = known(recording=recording("recording", 1.9, -55.0))
    panels = [panel_of(render(IMAGE, moment, SIZE)) for moment in (quiet, loud, late)]
    green = [count(panel, GREEN) for panel in panels]
    red = [count(panel, RED) for panel in panels]
    assert green[1] > 3 * green[0]
    assert red[2] > 2 * red[0]


def test_a_loud_recording_lights_the_red_step():
    """Only where the level reaches -6 dBFS; the time's own red stays the same."""
    below = panel_of(render(IMAGE, known(recording=recording("recording", 1.0, -10.0)), SIZE))
    above = panel_of(render(IMAGE, known(recording=recording("recording", 1.0, -3.0)), SIZE))
    assert count(above, RED) > count(below, RED)
    assert count(below, AMBER) > 0


def test_the_hint_to_press_is_there_only_while_somebody_listens():
    idle = known()
    assert idle.phase == "idle"
    gone = known(health={**idle.health, "audio": health(age_s=3.5)})
    assert gone.phase == ""


def test_the_key_is_named_only_where_there_are_keys():
    with_keys = render(IMAGE, known(), SIZE)
    without = render(IMAGE, known(has_keys=False), SIZE)
    assert count(with_keys, drawing.TRACK, PLACES.microphone) > 100
    assert count(without, drawing.TRACK, PLACES.microphone) == 0


def test_the_button_is_named_only_where_there_is_one():
    button = msgspec.structs.replace(recording(), button=True)
    assert "button" not in press_hint(known())
    assert "button" in press_hint(known(recording=button))
    assert press_hint(known(recording=button, has_keys=False)) == "Press the button"
    assert press_hint(known(has_keys=False)) == "emotion-edge record"


def test_a_service_whose_health_is_older_than_three_seconds_is_missing():
    everybody = known().health
    assert known(health={**everybody, "face": health(age_s=2.9)}).missing == []
    assert known(health={**everybody, "face": health(age_s=3.1)}).missing == ["face"]


def test_nobody_is_missed_in_the_first_three_seconds():
    assert known(health={}, since_ns=NOW_NS - 2 * S).missing == []
    assert "camera" in known(health={"hub": health()}, since_ns=NOW_NS - 4 * S).missing


def test_without_the_hub_nothing_is_said_of_the_others():
    alone = known(health={"camera": health("degraded", "no camera", age_s=9)})
    assert alone.problems == ["not running: hub"]
    assert alone.camera_reason == ""


def test_a_camera_that_is_not_running_is_said_to_be_the_reason():
    gone = known(health={**known().health, "camera": health(age_s=3.5)})
    assert gone.camera_reason == "the camera process is not running"


def test_problems_name_the_service_and_its_detail():
    telling = {**known().health, "audio": health("degraded", "no microphone found")}
    assert known(health=telling).problems == ["audio: no microphone found"]


def test_problems_are_amber_and_all_well_is_green():
    well = panel_of(render(IMAGE, known(), SIZE))
    ill = known(health={**known().health, "camera": health("degraded", "no camera")})
    assert count(well, AMBER) == 0 < count(well, GREEN)
    assert count(panel_of(render(IMAGE, ill, SIZE)), AMBER) > 50


def test_a_long_problem_is_wrapped_in_the_column_of_the_cards():
    long = known(health={**known().health, "camera": health("degraded", "no camera " * 40)})
    drawn = render(IMAGE, long, SIZE)
    beyond = Rect(PLACES.status.right, 0, SIZE[0] - PLACES.status.right, SIZE[1])
    assert count(drawn, AMBER, PLACES.status._replace(y=SIZE[1] * 3 // 4, h=SIZE[1] // 4)) > 200
    assert count(drawn, AMBER) == count(drawn, AMBER, Rect(STAGE.right, 0, *SIZE))
    assert count(drawn, AMBER, beyond) == 0


def test_a_lost_camera_is_dimmed_and_says_so():
    bright = np.full((480, 640, 3), 200, np.uint8)
    lost = known(frame_t_ns=NOW_NS - 5 * S, face=faces(face()))
    drawn = render(bright, lost, SIZE)
    assert lost.camera_lost
    assert drawn[10, 10].max() < 80
    assert count(drawn, COLOURS["happy"], STAGE) == 0
    assert count(drawn, drawing.TEXT, STAGE) > 100


def test_a_slow_camera_is_not_a_lost_one():
    old = NOW_NS - 2 * S
    assert known(frame_t_ns=old).camera_lost
    assert not known(frame_t_ns=old, rate_hz=1.0).camera_lost
    assert known(frame_t_ns=NOW_NS - 11 * S, rate_hz=0.01).camera_lost


def test_before_the_first_image_it_says_what_is_waited_for():
    waiting = known(
        frame_t_ns=None, health={**known().health, "camera": health("degraded", "no camera found")}
    )
    assert not waiting.camera_lost
    assert waiting.camera_reason == "no camera found"
    assert count(render(None, waiting, SIZE), drawing.TEXT, STAGE) > 100


def test_text_is_shortened_to_its_room():
    text = "a rather long line that will not fit"
    short = drawing.ellipsize(text, 20, 120)
    assert short.endswith("…") and drawing.width_px(short, 20) <= 120
    assert drawing.ellipsize(text, 20, 2000) == text
    assert drawing.ellipsize(text, 20, 1) == ""


def test_as_much_of_a_text_is_kept_as_there_is_room_for():
    text = "a rather long line that will not fit"
    short = drawing.ellipsize(text, 20, 200)
    longer = text[: len(short)] + "…"
    assert drawing.width_px(short, 20) <= 200 < drawing.width_px(longer, 20)


def test_a_text_of_any_length_is_shortened():
    short = drawing.ellipsize("no camera " * 1_000_000, 21, 900)
    assert short.endswith("…") and drawing.width_px(short, 21) <= 900


def test_letters_that_the_font_lacks_are_written_with_those_it_has():
    assert drawable("Tür · 5 °…") == "Tu\u0308r · 5 °…"
    assert drawable("groß, 摄像头 2\n") == "gross,  2"


@pytest.mark.parametrize(("marked", "plain"), [("ü", "u"), ("Ö", "O"), ("é", "e"), ("ñ", "n")])
def test_dots_and_accents_are_drawn_over_their_letters(marked, plain):
    with_mark, without = (drawing.text_bitmap(text, 40, RED).add for text in (marked, plain))
    assert with_mark.shape == without.shape
    changed = np.flatnonzero((with_mark != without).any((1, 2)))
    letter = np.flatnonzero(without.any((1, 2)))
    assert len(changed) > 2
    assert changed.max() <= letter.min() + 2, "above the letter alone"


def test_a_stamp_beyond_the_edge_is_cut_off():
    image = np.zeros((20, 20, 3), np.uint8)
    for x, y in ((-15, -5), (12, 4), (40, 40), (-400, 3)):
        drawing.draw_text(image, "edge", x, y, 16)
    assert image[:8, :8].any() and image[8:, 12:].any()


def test_a_scores_bar_is_as_long_as_its_share():
    image = np.zeros((10, 100, 3), np.uint8)
    drawing.bar(image, Rect(0, 0, 100, 10), 0.25, RED)
    assert count(image, RED) == 250
    assert count(image, drawing.TRACK) == 750


def test_text_is_wrapped_at_spaces_and_the_last_line_cut():
    text = "audio: no microphone found: plug one in, or set audio.source"
    lines = drawing.wrap(text, 20, 150, 3)
    assert len(lines) == 3 and all(drawing.width_px(line, 20) <= 150 for line in lines)
    assert lines[-1].endswith("…") and text.startswith(lines[0])
    assert drawing.wrap("two words", 20, 2000, 3) == ("two words",)


def test_the_large_word_names_its_face_in_the_colour_of_its_box():
    """The voice makes it sad, and the chip keeps the colour of the happy face."""
    whose = msgspec.structs.replace(emotion("sad"), face_id=2)
    two = faces(face(number=2), face((30, 30, 60, 60), "angry", number=3))
    drawn = render(IMAGE, known(face=two, emotion=whose), SIZE)
    nobody = render(IMAGE, known(face=two, emotion=emotion("sad")), SIZE)
    head = PLACES.emotion._replace(h=PLACES.emotion.h // 3)
    assert count(drawn, COLOURS["happy"], head) > 200
    assert count(nobody, COLOURS["happy"], head) == 0


def test_with_several_people_it_is_counted_who_feels_what():
    crowd = [face(number=n) for n in range(5)] + [face(emotion="sad", number=9)]
    assert known(face=faces(*crowd)).people == [("happy", 5), ("sad", 1)]
    drawn = render(IMAGE, known(face=faces(*crowd), emotion=emotion("calm")), SIZE)
    foot = PLACES.emotion._replace(y=PLACES.emotion.y + 3 * PLACES.emotion.h // 4)
    assert count(drawn, COLOURS["happy"], foot) > 20 < count(drawn, COLOURS["sad"], foot)
    alone = render(IMAGE, known(face=faces(face()), emotion=emotion("calm")), SIZE)
    assert count(alone, COLOURS["happy"], foot) == 0


def timeline(end_s=999.99, emotion="happy"):
    minute = Timeline()
    for step in range(100):
        minute.add_faces(end_s - 10 + step / 10, {1: emotion})
    return minute


def test_the_last_minute_shows_who_was_there_with_which_emotion_and_where_a_voice_was():
    minute = timeline()
    minute.add_voice(960.0, 962.0, "sad")
    drawn = render(IMAGE, known(timeline=minute), SIZE)
    happy = count(drawn, COLOURS["happy"], PLACES.minute)
    left = PLACES.minute._replace(w=PLACES.minute.w // 2)
    assert happy > 1000
    assert count(drawn, COLOURS["sad"], left) > 100, "40 s ago is in the left half"
    assert count(drawn, COLOURS["happy"], left) == 0, "the last ten seconds are not"


def test_when_nobody_is_there_the_screen_invites():
    gone = known(face=faces(), timeline=timeline(NOW_NS / 1e9 - 5))
    assert gone.is_deserted
    assert not known(face=faces(face()), timeline=timeline()).is_deserted
    assert not known(face=faces(), timeline=timeline(NOW_NS / 1e9 - 1)).is_deserted
    assert count(render(IMAGE, gone, SIZE), drawing.TEXT, STAGE) > 500


@pytest.mark.parametrize(("phase", "colour"), [("waiting", AMBER), ("recording", RED)])
def test_waiting_and_recording_are_large_on_the_picture_itself(phase, colour):
    drawn = render(IMAGE, known(recording=recording(phase, 0.5, -20.0)), SIZE)
    assert count(drawn, colour, STAGE) > 2000
    assert count(drawn, drawing.TEXT, STAGE) > 1000
    assert count(render(IMAGE, known(), SIZE), colour, STAGE) == 0


@pytest.mark.parametrize(("x", "y", "side"), [(260, 20, 120), (260, 320, 120), (330, 40, 300)])
def test_the_call_to_speak_leaves_a_face_free_wherever_that_is(x, y, side):
    person = face((x, y, side, side))
    seen = known(face=faces(person), recording=recording("waiting", 0.5, -20.0))
    inner = on_screen(x + 15, y + 15, side - 30, side - 30)
    assert (inner.of(render(IMAGE, seen, SIZE)) == 90).all()
    assert count(render(IMAGE, seen, SIZE), AMBER, STAGE.inset(20)) > 100


def test_where_a_face_leaves_no_place_the_call_to_speak_covers_little_of_it():
    person = face((350, 60, 280, 400))
    seen = known(face=faces(person), recording=recording("waiting", 0.5, -20.0))
    drawn = render(IMAGE, seen, SIZE)
    call = count(drawn, drawing.CARD_BACKGROUND, STAGE)
    assert 0 < count(drawn, drawing.CARD_BACKGROUND, on_screen(*person.box)) < 0.2 * call


@pytest.mark.parametrize("size", [(640, 480), (800, 480), (480, 800), (1280, 720)])
@pytest.mark.parametrize("name", languages())
def test_every_usual_text_of_the_cards_has_room_in_every_language(name, size):
    text, unit, places = load_language(name), unit_of(size), lay_out(size, 4 / 3, 1, 0)
    room = places.emotion.w - round(2 * MARGIN * unit)
    both = [text(f"fused.from_{way}", confidence="100%") for way in ("face", "voice", "both")]
    keys = ("none", "old", "silent")
    voice_card = [f"{text('heading.voice')} {text(f'voice.{key}')}" for key in keys]
    hint = text("microphone.records", seconds="2")
    for line in (text("fused.waiting"), *both, *voice_card, hint, text("microphone.moment")):
        assert drawing.width_px(line, small_px(unit)) <= room, line


def test_who_is_watched_by_a_browser_sees_how_many_look():
    well = {name: health() for name in SERVICES}

    def shown(viewers, age_s=0.5):
        web = msgspec.structs.replace(health(age_s=age_s), viewers=viewers)
        return render(IMAGE, known(health={**well, "web": web}), SIZE)

    nobody, one, two = shown(0), shown(1), shown(2)
    differing = np.argwhere((nobody != one).any(2))
    assert differing.size and (one != two).any()
    top, left = differing.min(0)
    assert top < STAGE.y + STAGE.h / 6 and left > STAGE.x + STAGE.w / 2
    assert (shown(1, age_s=9.0)[STAGE.y : STAGE.y + STAGE.h // 6] ==
            nobody[STAGE.y : STAGE.y + STAGE.h // 6]).all()  # fmt: skip


def test_another_language_changes_what_is_written():
    usual = known(face=faces(face()), emotion=emotion())
    german = msgspec.structs.replace(usual, language=load_language("de"))
    assert (render(IMAGE, usual, SIZE) != render(IMAGE, german, SIZE)).any()
    assert german.language.emotion("happy") == "Freude"


def test_a_notice_stands_at_the_foot_and_only_where_one_is_set():
    with_it = render(IMAGE, known(notice="No picture is kept. Questions: room 12"), SIZE)
    foot = Rect(0, SIZE[1] - 25, SIZE[0], 25)
    assert count(with_it, drawing.TEXT, foot) > 50
    assert count(render(IMAGE, known(), SIZE), drawing.TEXT, foot) == 0


def test_a_device_without_camera_or_microphone_is_well():
    off = {name: health() for name in SERVICES} | {
        "camera": health(detail="off"),
        "audio": health(detail="off"),
    }
    blind = known(health=off, frame_t_ns=None)
    assert blind.problems == [] and blind.is_off("camera") and blind.is_off("audio")
    drawn = render(None, blind, SIZE)
    assert count(drawn, AMBER) == 0
    waiting = known(frame_t_ns=None)
    assert (drawn != render(None, waiting, SIZE)).any(), "it does not wait for a camera"


ARCMIN = 20.0
SCREEN_HEIGHT_M, DISTANCE_M = 40 * 0.0254 * 9 / (16**2 + 9**2) ** 0.5, 2.0


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (3840, 2160)])
def test_the_smallest_letters_are_20_arcmin_high_at_2_m_on_40_inches(size):
    """Height of capitals, as ISO 9241-303 measures characters."""
    letters_m = drawing.cap_height_px(small_px(unit_of(size))) / size[1] * SCREEN_HEIGHT_M
    assert np.degrees(np.arctan(letters_m / DISTANCE_M)) * 60 >= ARCMIN


def recorder(age_s=0.5, recording_data=True):
    return msgspec.structs.replace(health(age_s=age_s), recording_data=recording_data)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", "de"])
def test_while_data_is_recorded_a_sign_stands_in_the_pictures_corner(size, language):
    shown = known(language=load_language(language))
    kept = msgspec.structs.replace(shown, health={**shown.health, "recorder": recorder()})
    frame = np.full((480, 640, 3), 90, np.uint8)
    corner = lay_out(size, 4 / 3, 1, 0).stage
    corner = corner._replace(h=round(3 * unit_of(size)))
    assert count(render(frame, shown, size), RED, corner) == 0
    assert count(render(frame, kept, size), RED, corner) > 20


@pytest.mark.parametrize("change", [{"recording_data": False}, {"age_s": 9.0}])
def test_the_sign_goes_when_nothing_is_recorded_or_nobody_says_so(change):
    shown = known(health={**known().health, "recorder": recorder(**change)})
    assert not shown.is_recording_data
    assert count(render(IMAGE, shown, SIZE), RED, STAGE) == 0
