"""All that the pages share: settings, what came over the bus, who is logged in."""

import asyncio
from collections.abc import Callable

from edge.config import Config
from edge.language import load_language
from edge.web.board import Board
from edge.web.doctor import Doctor
from edge.web.gate import Gate
from edge.web.history import HistorySource
from edge.web.live import Viewers
from edge.web.secrets import Role, Secrets
from edge.web.sessions import Attempts, Sessions


class Site:
    """One for the process."""

    def __init__(
        self,
        config: Config,
        board: Board,
        viewers: Viewers,
        history: HistorySource,
        metrics: Callable[[], bytes],
        record: Callable[[], bool],
    ) -> None:
        """`metrics`: the text for Prometheus. `record`: does it; False where it cannot now."""
        self.config = config
        self.board = board
        self.viewers = viewers
        self.history = history
        self.metrics = metrics
        self.record = record
        self.text = load_language(config.display.language)
        self.secrets = Secrets(config.web_directory)
        self.sessions = Sessions()
        self.attempts = Attempts()
        self.gate = Gate(config, self.secrets.read, self.sessions)
        self.doctor = Doctor(config)
        self.checking = 0
        self.check_lock = asyncio.Lock()

    def close_ended(self) -> None:
        """Viewers whose session is over, by logout, time or a new password, see no more."""
        self.viewers.close_where(lambda request: self.gate.role(request) is Role.NOBODY)
