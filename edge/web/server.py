"""The HTTP server: where it listens, its limits, TLS."""

import errno
import os
import socket
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets
from tornado.web import Application

from edge.bus.sockets import AddressUnavailableError
from edge.config import Config
from edge.errors import ConfigError
from edge.web.certificate import tls_context
from edge.web.handlers import PAGES, STATIC, Handler, Refused, Static
from edge.web.live import Viewer
from edge.web.secrets import Access
from edge.web.sessions import network_of
from edge.web.site import Site

MAX_CONNECTIONS, MAX_OF_ONE_ADDRESS = 256, 64
HEADER_S, BODY_S = 10.0, 10.0
"""A request's headers, and its body, come within this; an idle connection is closed, too."""
MAX_HEADER_BYTES, MAX_BODY_BYTES = 16 * 1024, 16 * 1024
MAX_MESSAGE_BYTES = 64
"""A browser sends nothing but packet numbers."""
EVERY_ADDRESS = ("0.0.0.0", "::")
ELSEWHERE = ("192.0.2.1", 9)
"""An address for documents (RFC 5737): to name it sends nothing, and picks a way out."""
UNAVAILABLE = (errno.EADDRINUSE, errno.EADDRNOTAVAIL)


class GuardedApplication(Application):
    """Nothing reaches a handler but through the gate."""

    def __init__(self, site: Site) -> None:
        self._site = site
        handlers: list[Any] = [(path, page, {"site": site}) for path, page in PAGES.items()]
        handlers.append(("/live", Viewer, {"viewers": site.viewers}))
        super().__init__(
            handlers,
            default_handler_class=NotFound,
            default_handler_args={"site": site},
            static_path=str(STATIC),
            static_handler_class=Static,
            template_path=str(Path(__file__).parent / "templates"),
            template_whitespace="oneline",
            xsrf_cookies=True,
            xsrf_cookie_kwargs={"httponly": True, "samesite": "Strict"},
            cookie_secret=os.urandom(32),
            compress_response=True,
            websocket_max_message_size=MAX_MESSAGE_BYTES,
            log_function=lambda _: None,
        )

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        status = self._site.gate.refusal(request)
        if status:
            arguments = {"site": self._site, "status": status}
            return self.get_handler_delegate(request, Refused, arguments)
        return super().find_handler(request, **kwargs)


class NotFound(Handler):
    def prepare(self) -> None:
        self.set_status(404)
        self.write_error(404)

    def check_xsrf_cookie(self) -> None:
        pass


class LimitedServer(HTTPServer):
    """Takes so many connections and no more: what is over is closed at once."""

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        super().initialize(*args, **kwargs)
        self._streams: dict[IOStream, str] = {}

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        network = network_of(address[0])
        self._streams = {s: n for s, n in self._streams.items() if not s.closed()}
        same = sum(other == network for other in self._streams.values())
        if len(self._streams) >= MAX_CONNECTIONS or same >= MAX_OF_ONE_ADDRESS:
            stream.close()
            return
        self._streams[stream] = network
        super().handle_stream(stream, address)

    def close(self) -> None:
        """Listen no more, and end all connections."""
        self.stop()
        for stream in tuple(self._streams):
            stream.close()


def listen(site: Site) -> LimitedServer:
    """Start to serve. Raises ConfigError, AddressUnavailableError. Needs asyncio to run."""
    server = LimitedServer(
        GuardedApplication(site),
        ssl_options=tls_context(site.config),
        idle_connection_timeout=HEADER_S,
        body_timeout=BODY_S,
        max_header_size=MAX_HEADER_BYTES,
        max_body_size=MAX_BODY_BYTES,
    )
    server.add_sockets(bind(site.config))
    return server


def bind(config: Config) -> list[socket.socket]:
    """Sockets that listen. Raises ConfigError, and AddressUnavailableError: try that again."""
    host, port = config.web.address
    try:
        return bind_sockets(port, "" if host == "::" else host, backlog=128)  # "": IPv4, too
    except socket.gaierror as error:
        raise ConfigError(f"web.bind: {host}: {error.strerror}") from error
    except PermissionError as error:
        raise ConfigError(f"web.bind: no right to port {port}; take one above 1023") from error
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        kind = AddressUnavailableError if error.errno in UNAVAILABLE else ConfigError
        raise kind(f"cannot listen on {config.web.bind}: {reason}; set web.bind") from error


def check_login(config: Config, access: Access) -> None:
    """Raises ConfigError where other hosts could come in without a password."""
    web = config.web
    if access.admin or access.viewer or (web.is_local and not web.hosts):
        return
    what = "hosts" if web.is_local else f"bind = {web.bind!r}"
    raise ConfigError(
        f"web.{what} lets other hosts in, and there is no password; "
        "run `emotion-edge web password` (with sudo on a device)"
    )


def addresses_of(config: Config) -> str:
    """Where to point a browser: this host's name and its address, or the one that is bound."""
    host, port = config.web.address
    names = [host]
    if host in EVERY_ADDRESS:
        names = [f"{socket.gethostname().partition('.')[0]}.local", own_address()]
    scheme = "https" if config.web.tls else "http"
    given = (f"[{name}]" if ":" in name else name for name in names)
    return ", ".join(f"{scheme}://{name}:{port}/" for name in given)


def own_address() -> str:
    """The IPv4 address by which other hosts reach this one; 127.0.0.1 without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
