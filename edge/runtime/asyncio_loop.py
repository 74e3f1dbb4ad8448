"""asyncio in a service's loop: whatever asyncio waits for, the loop waits for, too.

One thread and one wait: where asyncio would wait for its descriptors, the loop waits for them
beside its own sockets and timers, and calls what is due. So handlers of the loop may create tasks,
and coroutines may use what belongs to the loop.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

from edge.runtime.loop import Loop

Ready = list[tuple[selectors.SelectorKey, int]]


class LoopSelector(selectors.EpollSelector):
    """asyncio's selector that lets a Loop take its turn."""

    def __init__(self, loop: Loop, on_stop: Callable[[], None]) -> None:
        super().__init__()
        self._loop = loop
        self._on_stop: Callable[[], None] | None = on_stop
        loop.add_reader(self.fileno(), lambda: None)

    def select(self, timeout: float | None = None) -> Ready:
        """As any selector does; `timeout` in s, None = for ever."""
        if self._loop.is_running and self._loop.turn(timeout):
            return super().select(0)
        if self._on_stop is not None:
            self._on_stop()
            self._on_stop, timeout = None, 0
        return super().select(timeout)  # what is left to do goes on

    def close(self) -> None:
        self._loop.remove_reader(self.fileno())
        super().close()


def run_with_asyncio(loop: Loop, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """As `loop.run()`, with asyncio; `start` is awaited first, and what it raises escapes."""
    stop: list[Callable[[], None]] = []
    aio = asyncio.SelectorEventLoop(LoopSelector(loop, lambda: stop[0]()))
    stop.append(aio.stop)
    try:
        aio.run_until_complete(start())
        aio.run_forever()
        aio.run_until_complete(_finish(loop))
    finally:
        aio.close()


async def _finish(loop: Loop) -> None:
    """Call what waits for the end; cancel what still runs, and let it see that."""
    loop.stopped()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
