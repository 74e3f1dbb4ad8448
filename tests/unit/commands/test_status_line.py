import io
import time

import pytest

from edge.bus.messages import SERVICES, Emotion, FaceMessage, FaceResult, HealthMessage, Message
from edge.commands.status_line import StatusLine
from edge.devices.screen import is_window


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def now() -> dict[str, float]:
    return {"t_ns": time.monotonic_ns(), "time": time.time()}


def emotion() -> Emotion:
    return Emotion(**now(), emotion="happy", confidence=0.9, scores={}, face_age_s=0.1)


def face() -> FaceMessage:
    result = FaceResult(id=3, box=(0, 0, 9, 9), emotion="happy", confidence=0.9, scores={})
    return FaceMessage(**now(), frame_seq=1, frame_size=(9, 9), faces=[result], inference_ms=1.0)


def health(state: str = "ok") -> HealthMessage:
    return HealthMessage(
        **now(),
        state=state,
        detail="no camera found",
        rate_hz=30.0,
        dropped=0,
        rss_mb=20.0,
        uptime_s=1.0,
        version="0",
    )


def all_well() -> dict[str, Message]:
    return {f"health.{name}": health() for name in SERVICES}


def shown(*received: dict[str, Message]) -> str:
    terminal = Terminal()
    status = StatusLine(terminal)
    for messages in received:
        status.update(messages.items())
    status.redraw()
    return terminal.getvalue()


def test_the_line_shows_the_results() -> None:
    line = shown({"face": face(), "emotion": emotion()}, all_well())
    assert "#3 happy 0.90" in line
    assert "missing" not in line


def test_the_line_names_missing_services() -> None:
    health = all_well()
    del health["health.camera"]
    assert "missing: camera" in shown(health)


def test_the_line_names_degraded_services() -> None:
    assert "camera degraded" in shown({**all_well(), "health.camera": health("degraded")})


def test_a_permanent_line_stands_above_the_live_one() -> None:
    terminal = Terminal()
    status = StatusLine(terminal)
    status.redraw()
    status.print_line("camera lost")
    assert terminal.getvalue().endswith("camera lost\n")


def test_where_there_is_no_terminal_there_is_no_live_line() -> None:
    out = io.StringIO()
    status = StatusLine(out)
    status.update(all_well().items())
    status.redraw()
    status.close()
    assert out.getvalue() == ""


@pytest.mark.parametrize("has_window", [True, False])
def test_the_windows_key_is_named_where_there_is_a_window(has_window: bool) -> None:
    out = io.StringIO()
    StatusLine(out, has_window).update([("face", face())])
    assert "`emotion-edge record` records" in out.getvalue()
    assert ("in the window" in out.getvalue()) == has_window


@pytest.mark.parametrize(
    ("screen", "display", "expected"),
    [
        ("auto", ":0", True),
        ("auto", "", False),
        ("none", ":0", False),
        ("a.png", ":0", False),
        ("window", ":0", True),
    ],
)
def test_only_a_window_is_called_one(
    monkeypatch: pytest.MonkeyPatch, screen: str, display: str, expected: bool
) -> None:
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert is_window(screen) == expected
