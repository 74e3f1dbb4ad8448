"""The last minute: segments grow, people come and go, and the memory stays bounded."""

from edge.overlay.timeline import MAX_CHANGES, MAX_PEOPLE, MAX_VOICES, Segment, Timeline


def seen(timeline, labels, start_s, end_s, rate_hz=10):
    for step in range(round((end_s - start_s) * rate_hz) + 1):
        timeline.add_faces(start_s + step / rate_hz, labels)


def test_a_face_that_keeps_its_emotion_is_one_segment():
    timeline = Timeline()
    seen(timeline, {1: "happy"}, 0.0, 5.0)
    assert timeline.people(5.0)[0].segments == (Segment(0.0, 5.0, "happy"),)


def test_another_emotion_begins_where_the_last_one_was_seen():
    timeline = Timeline()
    seen(timeline, {1: "happy"}, 0.0, 5.0)
    seen(timeline, {1: "sad"}, 5.1, 6.0)
    assert timeline.people(6.0)[0].segments == (
        Segment(0.0, 5.0, "happy"),
        Segment(5.0, 6.0, "sad"),
    )


def test_a_face_that_was_away_leaves_a_gap():
    timeline = Timeline()
    seen(timeline, {1: "happy"}, 0.0, 2.0)
    seen(timeline, {1: "happy"}, 10.0, 12.0)
    first, second = timeline.people(12.0)[0].segments
    assert (first.end_s, second.start_s) == (2.0, 10.0)


def test_what_is_over_a_minute_ago_is_forgotten():
    timeline = Timeline()
    seen(timeline, {1: "happy"}, 0.0, 2.0)
    seen(timeline, {2: "sad"}, 61.0, 63.0)
    timeline.add_voice(0.0, 2.0, "angry")
    assert [person.id for person in timeline.people(63.0)] == [2]
    assert timeline.voices(63.0) == []


def test_where_there_is_room_for_few_those_who_are_there_come_first():
    timeline = Timeline()
    seen(timeline, {1: "happy"}, 0.0, 30.0)
    seen(timeline, {3: "sad", 2: "fear"}, 31.0, 35.0)
    seen(timeline, {2: "fear"}, 35.0, 36.0)
    seen(timeline, {2: "fear", 3: "sad"}, 36.0, 37.0)
    assert [person.id for person in timeline.people(37.0, 2)] == [2, 3]
    assert [person.id for person in timeline.people(37.0)] == [1, 2, 3]


def test_the_same_recording_again_is_one_voice():
    timeline = Timeline()
    timeline.add_voice(1.0, 3.0, "angry")
    timeline.add_voice(1.0, 3.0, "angry")
    assert timeline.voices(4.0) == [Segment(1.0, 3.0, "angry")]


def test_it_knows_when_somebody_was_last_there():
    timeline = Timeline()
    assert timeline.last_seen_s() is None
    seen(timeline, {1: "happy"}, 0.0, 2.0)
    assert timeline.last_seen_s() == 2.0


def test_its_memory_is_bounded():
    timeline = Timeline()
    for step in range(20_000):
        now_s = step / 1000
        timeline.add_faces(now_s, {step % 400: "happy", 1000: ("sad", "fear")[step % 2]})
        timeline.add_voice(now_s, now_s + 1, "sad")
    people = timeline.people(20.0, 10**6)
    assert len(people) <= MAX_PEOPLE
    assert max(len(person.segments) for person in people) <= MAX_CHANGES
    assert len(timeline.voices(20.0)) <= MAX_VOICES
