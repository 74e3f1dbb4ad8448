import pytest

from edge.commands.run import BAD_CONFIG, Child, Supervisor
from edge.runtime.loop import Loop


def outcome(child: Child) -> tuple[int, list[str]]:
    """(exit code, what was said) of a supervisor whose one child refuses its settings."""
    said: list[str] = []
    loop = Loop()
    supervisor = Supervisor(loop, [child], lambda line: (said.append(line), loop.stop())[0])
    loop.call_later(10, lambda: pytest.fail("neither ended nor started again"))
    supervisor.start()
    loop.run()
    supervisor.stop()
    loop.close()
    return supervisor.exit_code, said


def refusing() -> Child:
    return Child("camera", ["sh", "-c", f"exit {BAD_CONFIG}"])


def test_a_process_that_refuses_its_settings_at_once_ends_everything() -> None:
    assert outcome(refusing()) == (BAD_CONFIG, [])


def test_a_process_that_worked_with_them_before_is_started_again() -> None:
    child = refusing()
    child.ran_ok = True
    assert outcome(child) == (0, [f"camera ended (exit code {BAD_CONFIG}); starting it again"])
