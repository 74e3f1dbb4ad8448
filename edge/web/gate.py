"""Which requests are answered at all: by the name they came under, their origin, and who sent it.

One decision for every request, before a handler sees it. In the order of the checks: no Host (400),
a name that is not ours (421: DNS rebinding), a change from another site or none (403), who is not
logged in (401, or the login page), who may not do this (403).
"""

import hmac
import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from tornado.httputil import HTTPServerRequest

from edge.config import Config
from edge.web.secrets import Access, Role, token_hash
from edge.web.sessions import COOKIE, Sessions

OPEN_PATHS = ("/login", "/static/public/")
"""What who is not logged in gets: the login page and what it is made of."""
ADMIN_PATHS = ("/record", "/settings")
METRICS = "/metrics"
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip")
SAFE_METHODS = ("GET", "HEAD")


class Gate:
    """Decides; knows the names of this device, and who is logged in."""

    def __init__(self, config: Config, read: Callable[[], Access], sessions: Sessions) -> None:
        """`read`: the passwords as they are now."""
        self._read = read
        self._sessions = sessions
        self._is_local = config.web.is_local and not config.web.hosts
        self._metrics = config.web.metrics
        self._names = own_names(config)

    def refusal(self, request: HTTPServerRequest) -> int:
        """The status to refuse it with; 0 = it is answered."""
        host = request.headers.get("Host", "")
        if "\0" in unquote(request.path):
            return 400
        if not host or len(request.headers.get_list("Host")) > 1:
            return 400
        if not self._is_own_name(host_name(host), request):
            return 421
        changes = request.method not in SAFE_METHODS
        is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        if (changes or is_socket) and not is_same_origin(request.headers.get("Origin", ""), host):
            return 403
        site, mode = (request.headers.get(f"Sec-Fetch-{name}", "") for name in ("Site", "Mode"))
        if site == "cross-site" and mode != "navigate":
            return 403
        if not self.needs_login and any(name in request.headers for name in FORWARDED):
            return 403  # a proxy, and behind it anyone: set a password
        return self._missing_right(request)

    def _missing_right(self, request: HTTPServerRequest) -> int:
        if request.path.startswith(OPEN_PATHS) and ".." not in unquote(request.path):
            return 0
        role = self.role(request)
        if role is Role.NOBODY:
            return 401
        return 403 if request.path in ADMIN_PATHS and role is not Role.ADMIN else 0

    @property
    def needs_login(self) -> bool:
        """Whoever can reach a local address may do all, unless a password is set."""
        access = self._read()
        return not self._is_local or bool(access.admin or access.viewer)

    def role(self, request: HTTPServerRequest) -> Role:
        """What the sender may do."""
        if not self.needs_login:
            return Role.ADMIN
        if request.path == METRICS and self._has_token(request):
            return Role.VIEWER
        cookie = request.cookies.get(COOKIE)
        return self._sessions.role(cookie.value, self._read()) if cookie else Role.NOBODY

    def _has_token(self, request: HTTPServerRequest) -> bool:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        expected = self._read().token
        given = token_hash(token.strip())
        return bool(expected) and kind == "Bearer" and hmac.compare_digest(given, expected)

    def _is_own_name(self, name: str, request: HTTPServerRequest) -> bool:
        return name in self._names or name in own_addresses(request)


def own_names(config: Config) -> frozenset[str]:
    """Names by which browsers may call this device, in lower case."""
    names = {socket.gethostname(), config.device_name}
    local = {f"{name.partition('.')[0]}.local" for name in names}
    known = {"localhost", *names, *local, *config.web.hosts}
    return frozenset(name.lower().strip("[]") for name in known)


def own_addresses(request: HTTPServerRequest) -> tuple[str, ...]:
    """The address that this request came to: no other website can have that for a name."""
    stream = getattr(request.connection, "stream", None)
    if stream is None or stream.socket is None:
        return ()
    address = str(stream.socket.getsockname()[0]).partition("%")[0]
    mapped = getattr(ipaddress.ip_address(address), "ipv4_mapped", None)
    return address, *([str(mapped)] if mapped else [])


def host_name(host: str) -> str:
    """ "::1" of "[::1]:8080", "kitchen" of "Kitchen:8080"; "" for what is no host."""
    try:
        return (urlsplit(f"//{host}").hostname or "").partition("%")[0].rstrip(".")
    except ValueError:
        return ""


def is_same_origin(origin: str, host: str) -> bool:
    """Whether a page of this very host and port sent it. A browser tells; who does not is refused.

    The scheme may differ: a proxy in front takes off TLS.
    """
    scheme, separator, place = origin.partition("://")
    return bool(separator) and scheme in ("http", "https") and place.lower() == host.lower()
