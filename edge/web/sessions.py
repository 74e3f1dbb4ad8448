"""Who is logged in, and who tries to be. In memory: a restart logs everybody out."""

import ipaddress
import secrets
import time
from collections import deque
from collections.abc import Callable

import msgspec

from edge.web.secrets import Access, Role

COOKIE = "emotion_edge_session"
LIFETIME_S = 30 * 86_400.0
"""Since it was last used: a tablet on a wall stays logged in."""
MAX_SESSIONS = 100
"""Of a role: viewers, however many log in, put no admin out."""
MAX_WRONG, WRONG_WITHIN_S = 5, 60.0
MAX_ADDRESSES = 1000
LOOPBACK = "localhost"
"""127.0.0.0/8 and ::1: one client, whichever of those it takes."""


class Session(msgspec.Struct):
    """One browser that logged in."""

    role: Role
    password: str
    """The hash that it logged in with: a new password ends the session."""
    used_s: float


class Sessions:
    """Sessions by their secret names."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def start(self, role: Role, access: Access) -> str:
        """A new session's name, for its cookie. Of a role's too many the longest unused goes."""
        same = [name for name, session in self._sessions.items() if session.role is role]
        if len(same) >= MAX_SESSIONS:
            self.end(min(same, key=lambda name: self._sessions[name].used_s))
        name = secrets.token_urlsafe(32)
        self._sessions[name] = Session(role, password_of(access, role), self._clock())
        return name

    def role(self, name: str, access: Access) -> Role:
        """What who has this cookie may do now."""
        session = self._sessions.get(name)
        if session is None:
            return Role.NOBODY
        is_over = self._clock() - session.used_s > LIFETIME_S
        if is_over or session.password != password_of(access, session.role):
            self.end(name)
            return Role.NOBODY
        session.used_s = self._clock()
        return session.role

    def end(self, name: str) -> None:
        """Log out."""
        self._sessions.pop(name, None)


def password_of(access: Access, role: Role) -> str:
    return access.admin if role is Role.ADMIN else access.viewer


class Attempts:
    """Wrong passwords by address: MAX_WRONG a minute, then none is tried any more."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: dict[str, deque[float]] = {}

    def is_blocked(self, address: str) -> bool:
        recent = self._wrong.get(network_of(address), deque())
        while recent and self._clock() - recent[0] > WRONG_WITHIN_S:
            recent.popleft()
        return len(recent) >= MAX_WRONG

    def add(self, address: str) -> None:
        """One is tried: it counts until `take_back`, so that many at once are no way around."""
        network = network_of(address)
        recent = self._wrong.pop(network, deque(maxlen=MAX_WRONG))
        recent.append(self._clock())
        self._wrong[network] = recent
        if len(self._wrong) > MAX_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]

    def take_back(self, address: str) -> None:
        """The newest one was right. Those before count on: it may be another's password."""
        if recent := self._wrong.get(network_of(address)):
            recent.pop()


def network_of(address: str) -> str:
    """What one client can choose from: this host's own addresses, all of them; an IPv4 address; or
    an IPv6 network of 64 bits.
    """
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    known = getattr(known, "ipv4_mapped", None) or known
    if known.is_loopback:
        return LOOPBACK
    if known.version == 4:
        return str(known)
    return str(ipaddress.ip_network((known, 64), strict=False))
