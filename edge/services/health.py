"""A service's health: its rate, what it misses, published once a second on `health.<service>`.

The same goes to systemd: ready, the line of its state, and a sign of life for its watchdog. That
is sent on progress alone: `count` and `feed_watchdog` are called by what was done, never by a
timer that would go on while the work hangs.
"""

import logging
import os
import time
from typing import Literal

from edge import __version__
from edge.bus.messages import MAX_CHARACTERS, OFF, HealthMessage
from edge.bus.pubsub import Publisher
from edge.runtime.loop import Loop
from edge.runtime.systemd import Notifier

log = logging.getLogger(__name__)

PERIOD_S = 1.0
PAGE_MB = os.sysconf("SC_PAGESIZE") / 2**20
STATM = "/proc/self/statm"
State = Literal["ok", "degraded", "failed"]


class Health:
    """Counts work, keeps the list of what is wrong, publishes both."""

    def __init__(self, publisher: Publisher, service: str, loop: Loop) -> None:
        self._publisher = publisher
        self._service = service
        self._started_s = self._counted_since_s = time.monotonic()
        self._worked = 0
        self._problems: dict[str, str] = {}
        self._ready = False
        self._statm = os.open(STATM, os.O_RDONLY)  # kept open: clients may use up descriptors
        self._systemd = Notifier()
        self.dropped = 0
        """What came and could not be taken, since the start."""
        self.about = ""
        """What is in use; published while nothing is wrong."""
        self.soc_c: float | None = None
        """The temperature of the board's chip, where this service measures it."""
        self.throttled: bool | None = None
        self.recording_data = False
        """Results are being kept; the screen tells people so."""
        self.viewers = 0
        """Browsers that show the live page, where this service is the web's."""
        loop.call_every(PERIOD_S, self.publish)
        loop.on_stop(self._systemd.stopping)

    def count(self) -> None:
        """One frame published, one inference made."""
        self._worked += 1
        self.feed_watchdog()

    def feed_watchdog(self) -> None:
        """There was nothing to do, and that was found out by looking: the watchdog may know."""
        self._systemd.alive()

    def set_problem(self, what: str, detail: str) -> None:
        """`what` is wrong until it is cleared: degraded, and logged once."""
        if self._problems.get(what) != detail:
            log.warning("%s", detail)
        self._problems[what] = detail

    def clear_problem(self, what: str) -> None:
        """`what` works (again)."""
        if self._problems.pop(what, None) is not None:
            log.info("works again: %s", what)

    def ready(self) -> None:
        """The service works, or knows that it is degraded: publish that, and notify systemd."""
        if not self._ready:
            self._ready = True
            self._systemd.ready()
            self.publish()

    def publish(self) -> None:
        """Publish the state, and notify systemd."""
        now_s = time.monotonic()
        rate_hz = self._worked / max(now_s - self._counted_since_s, 1e-3)
        state: State = "degraded" if self._problems else "ok"
        detail = ("; ".join(self._problems.values()) or self.about)[:MAX_CHARACTERS]
        self._publisher.publish(
            f"health.{self._service}",
            HealthMessage(
                t_ns=time.monotonic_ns(),
                time=time.time(),
                state=state,
                detail=detail,
                rate_hz=round(rate_hz, 2),
                dropped=self.dropped,
                rss_mb=self._rss_mb(),
                uptime_s=round(now_s - self._started_s, 1),
                version=__version__,
                soc_c=self.soc_c,
                throttled=self.throttled,
                recording_data=self.recording_data,
                viewers=self.viewers,
            ),
        )
        self._systemd.status(f"{state}: {detail}" if detail else state)
        self._worked = 0
        self._counted_since_s = now_s

    def _rss_mb(self) -> float:
        """Resident memory, MB. proc_pid_statm(5)"""
        return round(int(os.pread(self._statm, 128, 0).split()[1]) * PAGE_MB, 1)

    def __del__(self) -> None:
        os.close(self._statm)
        self._systemd.close()


def serve_off(health: Health, loop: Loop) -> None:
    """Do nothing, and be well: the settings turn off what this service is for."""
    health.about = OFF
    loop.call_every(PERIOD_S, health.feed_watchdog)
    health.ready()
    loop.run()
