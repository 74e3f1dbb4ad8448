"""Who may connect with a key: a ZAP authenticator (rfc.zeromq.org/spec/27), with bans in a file.

It accepts the public keys of a folder, read again and again, and no other; a banned one for a while
not. Clients cannot fill its memory, nor the log.
"""

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

import msgspec
import zmq
from zmq.utils import z85

from edge.bus import sockets
from edge.bus.keys import Keys, KeysError, write_secret
from edge.runtime.loop import Loop

log = logging.getLogger(__name__)

ENDPOINT = "inproc://zeromq.zap.01"
KEYS_RELOAD_S, KEYS_RELOAD_SOON_S = 1.0, 0.1
"""The folder of keys is read once a second, and so long after an unknown key connected."""
RATE_S, MAX_HANDSHAKES = 10.0, 250
"""Of one key in this time."""
BAN_S, BANS_SAVE_S = 600.0, 0.1
WARN_PERIOD_S = 60.0
MAX_WARNED = 1000


class ZapRequest(NamedTuple):
    """A client with a key that waits to be authenticated."""

    envelope: list[bytes]
    """Where the reply goes: [who asks, "", version, id]."""
    address: str
    public: str

    @classmethod
    def of(cls, parts: list[bytes]) -> "ZapRequest":
        """Read a ZAP request; after the envelope: domain, address, identity, mechanism, key."""
        _, address, _, _, *credentials = parts[4:]
        return cls(
            parts[:4],
            address.decode("ascii", "replace"),
            z85.encode(credentials[0]).decode() if list(map(len, credentials)) == [32] else "",
        )


class Warnings:
    """At most one line a minute about each address, in memory that clients cannot fill."""

    def __init__(self) -> None:
        self._said_s: dict[str, float] = {}

    def warn(self, about: str, line: str) -> None:
        now_s = time.monotonic()
        if len(self._said_s) >= MAX_WARNED:
            recent = {a: s for a, s in self._said_s.items() if now_s - s < WARN_PERIOD_S}
            self._said_s = recent
        full = len(self._said_s) >= MAX_WARNED
        if not full and now_s - self._said_s.get(about, -WARN_PERIOD_S) >= WARN_PERIOD_S:
            self._said_s[about] = now_s
            log.warning("%s", line)


class Bans:
    """Names that are not accepted for a while, in a file that outlives the process."""

    def __init__(self, path: Path) -> None:
        """`path`: in the runtime folder, which a restart of the computer empties."""
        self._path = path
        self._saved = True
        try:
            self._until_s = msgspec.json.decode(path.read_bytes(), type=dict[str, float])
        except (OSError, msgspec.DecodeError):
            self._until_s = {}

    def add(self, name: str) -> None:
        self._until_s[name] = time.monotonic() + BAN_S
        self._saved = False
        self.save()

    def has(self, name: str) -> bool:
        return self._until_s.get(name, 0.0) > time.monotonic()

    def keep(self, names: Collection[str]) -> None:
        """Forget the bans of all others."""
        if not self._until_s.keys() <= set(names):
            self._until_s = {n: at_s for n, at_s in self._until_s.items() if n in names}
            self._saved = False
            self.save()

    def save(self) -> None:
        """Save what is not saved yet, where that can be done; else later, by another call."""
        if self._saved:
            return
        new = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
            write_secret(new, msgspec.json.encode(self._until_s))
            new.replace(self._path)
            self._saved = True


class Authenticator:
    """Accepts keys, and says whose are not accepted any more."""

    def __init__(
        self,
        keys: Keys,
        bans: Bans,
        loop: Loop,
        warnings: Warnings,
        on_refused: Callable[[Collection[str]], None],
    ) -> None:
        """Raises KeysError. `on_refused` is called with public keys that were accepted before."""
        self._keys = keys
        self._bans = bans
        self._loop = loop
        self._warnings = warnings
        self._on_refused = on_refused
        self._secret = keys.secret()
        self._names = keys.allowed()
        self._waiting: list[ZapRequest] = []
        self._handshakes: Counter[str] = Counter()
        """By key, in the last RATE_S."""
        loop.call_every(KEYS_RELOAD_S, self._reload_keys)
        loop.call_every(BANS_SAVE_S, bans.save)
        loop.call_every(RATE_S, self._handshakes.clear)

    def protect(self, server: "zmq.Socket[bytes]", zap: "zmq.Socket[bytes]") -> None:
        """Encrypt `server`, before it is bound. Raises KeysError.

        `zap`: a ROUTER of its context. It must listen before the first client connects: without
        an authenticator all are accepted.
        """
        self._zap = zap
        self._waiting.clear()
        sockets.bind(zap, ENDPOINT)
        self._loop.add_reader(zap, self._on_request)
        try:
            server.setsockopt(zmq.CURVE_SECRETKEY, self._secret)
        except zmq.ZMQError as error:
            raise KeysError("device.key is damaged: remove it and make new keys") from error
        server.setsockopt(zmq.CURVE_SERVER, 1)
        server.setsockopt(zmq.ZAP_DOMAIN, b"emotion-edge")

    def refusal(self, key: str) -> str:
        """Why a public key is not accepted; "" where it is."""
        name = self._names.get(key)
        if name is None:
            return "unknown key"
        return f"{name!r} is banned" if self._bans.has(name) else ""

    def ban(self, key: str, why: str) -> None:
        """Refuse an accepted key for a while."""
        name = self._names[key]
        log.warning("%r %s: disconnected for %.0f minutes", name, why, BAN_S / 60)
        self._bans.add(name)
        self._on_refused({key})

    def _on_request(self) -> None:
        """Accept a known key at once; the others wait until the folder was read again."""
        request = ZapRequest.of(self._zap.recv_multipart())
        if request.public in self._names:
            self._reply(request)
            return
        if not self._waiting:
            self._loop.call_later(KEYS_RELOAD_SOON_S, self._reply_to_waiting)
        self._waiting.append(request)

    def _reply_to_waiting(self) -> None:
        """A key that was added a moment ago counts; one look at the folder serves all."""
        self._reload_keys()
        for request in self._waiting:
            self._reply(request)
        self._waiting.clear()

    def _reply(self, request: ZapRequest) -> None:
        why_not = self.refusal(request.public)
        if why_not:
            line = f"authentication failed for {request.address}: {why_not}"
            self._warnings.warn(request.address, line)
            status = [b"400", b"unknown key", b"", b""]
        else:
            status = [b"200", b"OK", request.public.encode(), b""]
            self._count_handshake(request.public)
        self._zap.send_multipart([*request.envelope, *status])

    def _count_handshake(self, key: str) -> None:
        self._handshakes[key] += 1
        if self._handshakes[key] > MAX_HANDSHAKES:
            self.ban(key, "connects again and again")

    def _reload_keys(self) -> None:
        """Read the keys again."""
        try:
            names = self._keys.allowed()
        except KeysError as error:
            self._warnings.warn("keys", f"{error}; until then the old ones count")
            return
        removed = self._names.keys() - names.keys()
        self._names = names
        self._bans.keep(names.values())  # a name that is removed and added is accepted again
        if removed:
            log.info("a key was removed: its subscribers are disconnected")
            self._on_refused(removed)
