"""The live page's WebSocket: one packet at a time, each with what is newest.

A packet is binary: PACKET, then JSON with what changed since the last one, then a JPEG, which may
be empty. A browser answers each with its number; until then it gets no other. So a slow one skips,
and what it shows is never older than one packet's way.
"""

import asyncio
import struct
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from tornado.httputil import HTTPServerRequest
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from edge.web.picture import Picture
from edge.web.sessions import COOKIE

PACKET = struct.Struct("<II")
"""frame_seq (0 without a picture), bytes of JSON"""
SILENT_S = 10.0
"""Who has not answered a packet for so long is gone."""
REPEAT_S = 1.0
"""A packet comes at least so often, so that a page knows that it is live."""
POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013
"""Why a socket is closed (RFC 6455)."""
MAX_VIEWERS, MAX_A_SESSION = 20, 8


class Viewer(WebSocketHandler):
    """One browser with a live page open."""

    def initialize(self, viewers: "Viewers") -> None:
        self._viewers = viewers
        self._sent: dict[str, bytes] = {}
        self._number = 0
        self.sent_s = 0.0
        self.is_waiting = False
        self._written: asyncio.Future[None] | None = None

    def check_origin(self, origin: str) -> bool:  # noqa: ARG002
        return True  # the gate has checked it

    def get_compression_options(self) -> dict[str, Any] | None:
        return None

    @property
    def owner(self) -> str:
        """Whose it is: a session or an address."""
        return self.get_cookie(COOKIE) or self.request.remote_ip or ""

    def open(self, *_: str, **__: str) -> None:
        if not self._viewers.add(self):
            self.close(TRY_AGAIN_LATER)

    def on_message(self, message: str | bytes) -> None:
        """The number of the packet that it has shown."""
        if message == str(self._number):
            self.is_waiting = False

    def on_close(self) -> None:
        self._viewers.remove(self)

    def send(self, values: Mapping[str, bytes], picture: Picture | None) -> None:
        """Send what changed, and the picture, unless it is still busy with the last packet."""
        now_s = time.monotonic()
        if self.is_waiting or not (self._written is None or self._written.done()):
            if now_s - self.sent_s > SILENT_S:
                self.close()
            return
        changed = {key: value for key, value in values.items() if self._sent.get(key) != value}
        if not changed and picture is None and now_s - self.sent_s < REPEAT_S:
            return
        self._sent.update(changed)
        self._number += 1
        self.sent_s, self.is_waiting = now_s, True
        parts = [b'"%s":%s' % (key.encode(), value) for key, value in changed.items()]
        body = b'{"packet":%d%s}' % (self._number, b"".join(b"," + part for part in parts))
        header = PACKET.pack(picture.frame_seq & 0xFFFFFFFF if picture else 0, len(body))
        jpeg = picture.jpeg if picture else b""
        try:
            self._written = self.write_message(header + body + jpeg, binary=True)
            self._written.add_done_callback(retrieve)
        except WebSocketClosedError:
            self._viewers.remove(self)


def retrieve(written: "asyncio.Future[None]") -> None:
    """A socket that was closed meanwhile is no fault: asyncio is not to report it."""
    if not written.cancelled():
        written.exception()


class Viewers:
    """All of them."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._viewers: set[Viewer] = set()
        self._on_change = on_change
        self.sent = 0

    def __len__(self) -> int:
        return len(self._viewers)

    def add(self, viewer: Viewer) -> bool:
        """False where there are too many, in all or of one user.

        Where all places are taken, whoever has most loses one to a user who would still have fewer.
        """
        pages = Counter(other.owner for other in self._viewers)
        own = pages[viewer.owner]
        if own >= MAX_A_SESSION:
            return False
        if len(self) >= MAX_VIEWERS:
            owner, most = pages.most_common(1)[0]
            if most <= own + 1:
                return False
            spare = next(other for other in self._viewers if other.owner == owner)
            self.remove(spare)
            spare.close(TRY_AGAIN_LATER)
        self._viewers.add(viewer)
        self._on_change()
        return True

    def remove(self, viewer: Viewer) -> None:
        if viewer in self._viewers:
            self._viewers.discard(viewer)
            self._on_change()

    def send(self, values: Mapping[str, object], picture: Picture | None) -> None:
        """To everyone who is ready for it."""
        encoded = {key: msgspec.json.encode(value) for key, value in values.items()}
        for viewer in tuple(self._viewers):
            viewer.send(encoded, picture)

    def close_where(self, is_over: Callable[[HTTPServerRequest], bool]) -> None:
        """Close those whose session has ended."""
        for viewer in tuple(self._viewers):
            if is_over(viewer.request):
                viewer.close(POLICY_VIOLATION)

    def close(self) -> None:
        for viewer in tuple(self._viewers):
            viewer.close()
