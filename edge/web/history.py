"""The last hour, kept in memory second by second; days and weeks, asked of the recorder."""

import asyncio
import math
import time
from array import array
from collections import Counter, deque
from contextlib import closing

from edge.bus.history import History, HistoryRequest, connect_history, decode_history, encode
from edge.bus.messages import (
    EMOTION_LABELS,
    NOBODY,
    UNCERTAIN,
    AudioMessage,
    BadMessageError,
    Change,
    Emotion,
    FaceMessage,
    Message,
)
from edge.config import Config
from edge.runtime.loop import Loop
from edge.web.board import label_of, published_s

SECONDS = 3600
EVENTS = 500
"""Voices and changes that are kept, of each."""
HOLD_S = 2
"""A decision holds until the next, so long at most: `nobody` is published once a second."""
TIMEOUT_S = 10.0
"""Who has not answered then does not run. A week is read in some seconds on a small board."""
NO_RECORDER, BUSY = "no recorder", "busy; try again"
MAX_WAITING = 4
"""The recorder reads for one browser at a time."""


class Mean:
    """The mean of a value in each of the last SECONDS seconds."""

    def __init__(self) -> None:
        self._sums = array("f", bytes(4 * SECONDS))
        self._counts = array("H", bytes(2 * SECONDS))
        self._seconds = array("q", [-1]) * SECONDS
        """The second whose values a place holds."""

    def add(self, second: int, value: float) -> None:
        place = second % SECONDS
        if self._seconds[place] != second:
            self._seconds[place], self._sums[place], self._counts[place] = second, 0.0, 0
        if self._counts[place] < 65_535:
            self._sums[place] += value
            self._counts[place] += 1

    def of(self, begin: int, end: int) -> float | None:
        """The mean over the seconds from `begin` to before `end`; None = no value."""
        places = [s % SECONDS for s in range(begin, end) if self._seconds[s % SECONDS] == s]
        count = sum(self._counts[place] for place in places)
        return sum(self._sums[place] for place in places) / count if count else None


DECISIONS = (*EMOTION_LABELS, UNCERTAIN, NOBODY)


class Decisions:
    """The last decision of each of the last SECONDS seconds."""

    def __init__(self) -> None:
        self._numbers = array("B", bytes(SECONDS))
        """Of DECISIONS."""
        self._seconds = array("q", [-1]) * SECONDS
        self._newest = -1

    def add(self, second: int, label: str) -> None:
        """One that this version does not know is left out."""
        if label not in DECISIONS:
            return
        held = self._numbers[self._newest % SECONDS]
        if 0 <= self._newest < second <= self._newest + HOLD_S:
            for between in range(self._newest + 1, second):
                self._set(between, held)
        self._set(second, DECISIONS.index(label))
        self._newest = second

    def _set(self, second: int, number: int) -> None:
        self._seconds[second % SECONDS], self._numbers[second % SECONDS] = second, number

    def counted(self, begin: int, end: int) -> Counter[int]:
        """{number of the decision: seconds} from `begin` to before `end`."""
        places = [s % SECONDS for s in range(begin, end) if self._seconds[s % SECONDS] == s]
        return Counter(self._numbers[place] for place in places)


class Memory:
    """The last hour. Runs on monotonic time, so that setting the clock tears no hole."""

    def __init__(self) -> None:
        self._emotion = {label: Mean() for label in EMOTION_LABELS}
        self._decisions = Decisions()
        self._faces = Mean()
        self._voice: deque[tuple[float, str, float]] = deque(maxlen=EVENTS)
        self._changes: deque[tuple[float, str, str]] = deque(maxlen=EVENTS)

    def take(self, message: Message) -> None:
        """Remember what the pages chart."""
        t_s = published_s(message) if isinstance(message, Emotion) else message.t_ns / 1e9
        if isinstance(message, Emotion):
            self._decisions.add(int(t_s), label_of(message))
            if message.face_age_s is not None or message.voice_age_s is not None:
                for label, mean in self._emotion.items():
                    mean.add(int(t_s), message.scores.get(label, 0.0))
        elif isinstance(message, FaceMessage):
            self._faces.add(int(t_s), len(message.faces))
        elif isinstance(message, AudioMessage) and message.emotion is not None:
            self._voice.append((t_s, message.emotion, message.confidence or 0.0))
        elif isinstance(message, Change):
            self._changes.append((t_s, message.previous, message.emotion))

    def get(self, request: HistoryRequest, to_unix_s: float) -> History:
        """What is known. `to_unix_s`: Unix time less monotonic time, s."""
        since, until = request.since - to_unix_s, request.until - to_unix_s
        step = max(1, math.ceil((until - since) / request.points))
        first = math.floor(since / step) * step
        begins = range(first, math.ceil(until), step)
        return History(
            t=[begin + to_unix_s for begin in begins],
            step_s=step,
            emotion={
                label: [rounded(mean.of(begin, begin + step)) for begin in begins]
                for label, mean in self._emotion.items()
            },
            labels=self._labels(begins, step),
            faces=[rounded(self._faces.of(begin, begin + step)) for begin in begins],
            voice=[(t + to_unix_s, e, c) for t, e, c in self._voice if since <= t < until],
            changes=[(t + to_unix_s, p, e) for t, p, e in self._changes if since <= t < until],
        )

    def _labels(self, begins: range, step: int) -> dict[str, list[float]]:
        counted = [self._decisions.counted(begin, begin + step) for begin in begins]
        return {
            label: [round(counts[number] / step, 4) for counts in counted]
            for number, label in enumerate(DECISIONS)
            if any(counts[number] for counts in counted)
        }


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


class HistorySource:
    """Answers for any span: from memory, or from the recorder where it is longer ago."""

    def __init__(self, config: Config, loop: Loop, memory: Memory) -> None:
        self._endpoint = config.endpoint("history")
        self._loop = loop
        self._memory = memory
        self._lock = asyncio.Lock()
        self._waiting = 0

    async def get(self, request: HistoryRequest) -> History:
        """An `error` in it says why there is nothing."""
        if request.since >= time.time() - SECONDS - 60:
            return self._memory.get(request, time.time() - time.monotonic())
        if self._waiting >= MAX_WAITING:
            return History(error=BUSY)
        self._waiting += 1
        try:
            async with self._lock:
                return await self._ask(request)
        finally:
            self._waiting -= 1

    async def _ask(self, request: HistoryRequest) -> History:
        with closing(connect_history(self._endpoint)) as socket:
            answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

            def on_answer() -> None:
                if not answered.done():  # it may come when nobody waits any more
                    answered.set_result(socket.recv())

            self._loop.add_reader(socket, on_answer)
            try:
                socket.send(encode(request))
                return decode_history(await asyncio.wait_for(answered, TIMEOUT_S))
            except asyncio.TimeoutError:
                return History(error=NO_RECORDER)
            except BadMessageError as error:
                return History(error=str(error))
            finally:
                self._loop.remove_reader(socket)
