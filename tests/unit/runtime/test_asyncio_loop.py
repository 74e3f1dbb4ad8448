"""asyncio and the loop in one thread: each waits for the other's things."""

import asyncio
import os
import threading

import pytest

from edge.runtime.asyncio_loop import run_with_asyncio
from edge.runtime.loop import Loop


def test_coroutines_and_handlers_take_turns() -> None:
    loop, order = Loop(), []

    async def work() -> None:
        for number in range(3):
            order.append(f"task {number}")
            await asyncio.sleep(0.02)
        loop.stop()

    async def start() -> None:
        loop.call_every(0.015, lambda: order.append("timer"))
        task.append(asyncio.create_task(work()))

    task: list[asyncio.Task[None]] = []
    run_with_asyncio(loop, start)
    assert [name for name in order if name != "timer"] == ["task 0", "task 1", "task 2"]
    assert "timer" in order
    loop.close()


def test_a_descriptor_of_either_wakes_both() -> None:
    loop, seen = Loop(), []
    ours, theirs = os.pipe(), os.pipe()

    def on_ours() -> None:
        seen.append(os.read(ours[0], 1))
        os.write(theirs[1], b"b")

    def on_theirs() -> None:
        seen.append(os.read(theirs[0], 1))
        loop.stop()

    async def start() -> None:
        loop.add_reader(ours[0], on_ours)
        asyncio.get_running_loop().add_reader(theirs[0], on_theirs)
        os.write(ours[1], b"a")

    run_with_asyncio(loop, start)
    assert seen == [b"a", b"b"]
    loop.close()


def test_a_call_from_another_thread_stops_both_and_tasks_are_cancelled() -> None:
    loop, ended = Loop(), []

    async def wait_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("task")

    async def start() -> None:
        kept.append(asyncio.create_task(wait_for_ever()))

    kept: list[asyncio.Task[None]] = []
    loop.on_stop(lambda: ended.append("stop"))
    threading.Timer(0.1, lambda: loop.call_soon_threadsafe(loop.stop)).start()
    run_with_asyncio(loop, start)
    assert ended == ["stop", "task"]
    loop.close()


@pytest.mark.parametrize("where", ["start", "handler"])
def test_what_is_raised_escapes(where: str) -> None:
    loop = Loop()

    def fail() -> None:
        raise ValueError("a bug")

    async def start() -> None:
        if where == "start":
            fail()
        loop.call_later(0, fail)

    with pytest.raises(ValueError, match="a bug"):
        run_with_asyncio(loop, start)
    loop.close()
