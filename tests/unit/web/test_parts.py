"""Parts of the pages that need no socket: sessions, attempts, the last hour, names, CSV."""

import socket

import msgspec
import pytest

pytest.importorskip("tornado", reason="no tornado: pip install -e '.[web]'")

from edge.bus.history import History, HistoryRequest
from edge.bus.messages import (
    EMOTION_LABELS,
    NOBODY,
    UNCERTAIN,
    Change,
    Emotion,
    FaceMessage,
    HealthMessage,
)
from edge.config import Config, WebConfig
from edge.overlay.bars import COLOURS, SAME
from edge.web.board import Board
from edge.web.gate import host_name, is_same_origin
from edge.web.handlers import STATIC
from edge.web.history import Memory
from edge.web.pages import cell, csv_of, decided_longest, shown
from edge.web.secrets import Access, Role
from edge.web.server import addresses_of, own_address
from edge.web.sessions import LIFETIME_S, MAX_SESSIONS, Attempts, Sessions, network_of
from tests.support.messages import EXAMPLES

S = 10**9
ACCESS = Access(salt="", admin="hash of the admin's", viewer="hash of the viewer's")


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_session_lasts_while_it_is_used() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    name = sessions.start(Role.VIEWER, ACCESS)
    for _ in range(3):
        clock.now_s += LIFETIME_S - 1
        assert sessions.role(name, ACCESS) is Role.VIEWER
    clock.now_s += LIFETIME_S + 1
    assert sessions.role(name, ACCESS) is Role.NOBODY


def test_of_too_many_sessions_the_longest_unused_one_ends() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    names = []
    for _ in range(MAX_SESSIONS + 1):
        clock.now_s += 1
        names.append(sessions.start(Role.ADMIN, ACCESS))
    roles = [sessions.role(name, ACCESS) for name in names]
    assert roles == [Role.NOBODY] + [Role.ADMIN] * MAX_SESSIONS and len(set(names)) == len(names)


def test_viewers_however_many_end_no_admins_session() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    admin = sessions.start(Role.ADMIN, ACCESS)
    for _ in range(3 * MAX_SESSIONS):
        clock.now_s += 1
        viewer = sessions.start(Role.VIEWER, ACCESS)
    assert sessions.role(admin, ACCESS) is Role.ADMIN
    assert sessions.role(viewer, ACCESS) is Role.VIEWER


def test_all_addresses_of_this_host_are_one_client() -> None:
    attempts = Attempts(Clock())
    for address in ("127.0.0.1", "127.0.0.2", "127.9.9.9", "::1", "::ffff:127.0.0.3"):
        assert not attempts.is_blocked(address)
        attempts.add(address)
    assert attempts.is_blocked("127.200.0.1") and attempts.is_blocked("::1")
    assert not attempts.is_blocked("10.0.0.1")


def test_wrong_passwords_are_forgotten_after_a_minute() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(5):
        assert not attempts.is_blocked("10.0.0.1")
        attempts.add("10.0.0.1")
    assert attempts.is_blocked("10.0.0.1") and not attempts.is_blocked("10.0.0.2")
    clock.now_s += 61
    assert not attempts.is_blocked("10.0.0.1")


def test_a_right_password_does_not_make_wrong_ones_undone() -> None:
    attempts = Attempts(Clock())
    for _ in range(4):
        attempts.add("10.0.0.1")
    attempts.add("10.0.0.1")
    attempts.take_back("10.0.0.1")  # it was right: a viewer's, say
    assert not attempts.is_blocked("10.0.0.1")
    attempts.add("10.0.0.1")
    assert attempts.is_blocked("10.0.0.1")


def test_an_ipv6_network_is_one_client() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db9::1")
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1") == "10.0.0.1"
    assert network_of("fe80::1%eth0") == network_of("fe80::2%eth0")


@pytest.mark.parametrize(
    ("host", "name"),
    [("Kitchen:8080", "kitchen"), ("[::1]:8080", "::1"), ("kitchen.", "kitchen"), ("[::1", ""),
     ("a@b", "b"), ("", "")],
)  # fmt: skip
def test_a_host_is_read_as_browsers_write_it(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    ("origin", "host", "is_same"),
    [("http://a:1", "a:1", True), ("https://A:1", "a:1", True), ("http://a", "a:1", False),
     ("null", "null", False), ("", "", False), ("ftp://a:1", "a:1", False),
     ("http://a:1/", "a:1", False), ("http://b@a:1", "a:1", False)],
)  # fmt: skip
def test_an_origin_is_the_same_or_it_is_not(origin: str, host: str, is_same: bool) -> None:
    assert is_same_origin(origin, host) == is_same


def remembered(*seconds: float) -> Memory:
    memory = Memory()
    for t_s in seconds:
        fields = {"emotion": "happy", "confidence": 0.5, "scores": {"happy": 0.5}}
        memory.take(Emotion(t_ns=round(t_s * S), time=0.0, **fields, face_age_s=0.1))  # type: ignore
        memory.take(FaceMessage(t_ns=round(t_s * S), time=0.0, **EXAMPLES["face"]))
    return memory


def asked(memory: Memory, since: float, until: float, points: int, shift: float = 0.0) -> History:
    request = HistoryRequest(since=since + shift, until=until + shift, points=points)
    return memory.get(request, shift)


def test_gaps_are_gaps() -> None:
    history = asked(remembered(1000.2, 1000.7, 1003.5), 1000, 1005, 5)
    assert history.t == [1000, 1001, 1002, 1003, 1004] and history.step_s == 1
    assert history.emotion["happy"] == [0.5, None, None, 0.5, None]
    assert history.emotion["sad"] == [0.0, None, None, 0.0, None]
    assert history.faces == [1, None, None, 1, None]


def test_a_longer_span_has_wider_buckets_and_no_more_of_them() -> None:
    history = asked(remembered(*range(1000, 2000)), 1000, 2000, 100)
    assert history.step_s == 10 and len(history.t) == 100
    assert history.emotion["happy"] == [0.5] * 100


def test_setting_the_clock_tears_no_hole() -> None:
    memory = remembered(*range(1000, 1010))
    before = asked(memory, 1000, 1010, 10, shift=5e8)
    after = asked(memory, 1000, 1010, 10, shift=5e8 + 3600)
    assert before.emotion == after.emotion and after.t[0] - before.t[0] == 3600


def test_what_is_older_than_an_hour_is_forgotten() -> None:
    history = asked(remembered(1000, 1000 + 3600), 1000, 1001, 1)
    assert history.emotion["happy"] == [None]


def decided(*labels: str, period_s: float = 1.0) -> Memory:
    """One decision every `period_s`, from 1000 s on."""
    memory = Memory()
    for number, label in enumerate(labels):
        name = UNCERTAIN if label == NOBODY else label
        age_s = None if label == NOBODY else 0.1
        fields = {"emotion": name, "confidence": 0.5, "scores": {"happy": 0.5}}
        t_ns = round((1000 + number * period_s) * S)
        memory.take(Emotion(t_ns=t_ns, time=0.0, **fields, face_age_s=age_s))  # type: ignore
    return memory


def test_uncertain_and_nobody_are_decisions_too() -> None:
    memory = decided("happy", "happy", UNCERTAIN, NOBODY, "brand new")
    history = asked(memory, 1000, 1008, 2)
    assert history.labels == {"happy": [0.5, 0.0], UNCERTAIN: [0.25, 0.0], NOBODY: [0.25, 0.0]}
    assert [decided_longest(history, n) for n in range(2)] == ["happy", ""]
    assert asked(Memory(), 1000, 1008, 2).labels == {}


def test_a_decision_holds_until_the_next_but_not_for_long() -> None:
    """`nobody` is published every second, or a moment later; silence is not nobody."""
    memory = decided(*[NOBODY] * 20, period_s=1.1)
    assert asked(memory, 1000, 1020, 1).labels == {NOBODY: [1.0]}
    silent = asked(decided(NOBODY, "happy", period_s=30), 1000, 1031, 31)
    assert sum(silent.labels[NOBODY]) == 1 and sum(silent.labels["happy"]) == 1


def test_changes_of_the_span_are_in_it() -> None:
    memory = Memory()
    for t_s in (999, 1000, 1009, 1010):
        memory.take(Change(t_ns=t_s * S, time=0.0, **EXAMPLES["change"]))
    assert [t for t, *_ in asked(memory, 1000, 1010, 10).changes] == [1000, 1009]


def test_while_results_are_kept_the_page_says_so() -> None:
    board = Board("en", ())
    health = HealthMessage(t_ns=0, time=0.0, **EXAMPLES["health"])
    board.take("health.recorder", health)
    assert not board.is_recording_data(0)
    board.take("health.recorder", msgspec.structs.replace(health, recording_data=True))
    assert board.is_recording_data(S) and not board.is_recording_data(60 * S)


def test_a_table_runs_nothing_in_a_spreadsheet() -> None:
    assert cell("=cmd()") == "'=cmd()" and cell("happy") == "happy"
    history = History(t=[0.0], step_s=1, emotion={"happy": [None]}, faces=[1.0],
                      labels={"nobody": [0.9], "happy": [0.1]},
                      voice=[(0.5, "=1+1", 1.0)], marks=[(0.7, "a,b")])  # fmt: skip
    rows = csv_of(history).split("\r\n")
    assert rows[1] == "0.000,1970-01-01T00:00:00Z,,nobody,1,,,"
    assert rows[2].endswith(",'=1+1,,") and rows[3].endswith(',"a,b"')


def test_colours_are_those_of_the_screen() -> None:
    css = (STATIC / "public" / "base.css").read_text()
    dark = css.partition("@media")[0]
    for label, (blue, green, red) in COLOURS.items():
        assert f"--{label}: #{red:02x}{green:02x}{blue:02x};" in dark
    for label, other in SAME.items():
        assert f"--{label}: var(--{other});" in css
    assert {*COLOURS} == {*EMOTION_LABELS}


def test_the_password_of_a_camera_is_not_shown() -> None:
    assert shown("camera.source", "rtsp://me:hunter2@cam/1") == "rtsp://***@cam/1"
    assert shown("camera.source", "/dev/video0") == "/dev/video0"


def test_the_addresses_that_are_told_can_be_opened() -> None:
    def told(bind: str, tls: str = "") -> str:
        return addresses_of(Config(web=WebConfig(bind=bind, tls=tls)))

    name, address = socket.gethostname().partition(".")[0], own_address()
    everywhere = f"http://{name}.local:8080/, http://{address}:8080/"
    assert told("0.0.0.0:8080") == told("[::]:8080") == everywhere
    assert told("0.0.0.0:8443", "self-signed").startswith(f"https://{name}.local:8443/, https://")
    assert told("127.0.0.1:8080") == "http://127.0.0.1:8080/"
    assert told("[fe80::1]:8080") == "http://[fe80::1]:8080/"
    with socket.socket() as here:
        here.bind((address, 0))  # only an address of this host can be
