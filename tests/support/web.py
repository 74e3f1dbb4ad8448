"""A browser's part, by hand: requests, logins, packets of the live page."""

import asyncio
import contextlib
import functools
import http.client
import io
import json
import re
import socket
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
import numpy as np
from PIL import Image
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from edge.bus.frames import Frame
from edge.bus.keys import write_secret
from edge.bus.messages import FaceMessage, Message
from edge.config import Config, WebConfig
from edge.services import web
from edge.web.live import PACKET
from edge.web.secrets import Access, hashed
from edge.web.sessions import COOKIE
from tests.support.harness import PATIENCE_S, free_port, running, wait_for
from tests.support.messages import EXAMPLES

ADMIN, VIEWER = "correct horse battery", "only looking at it"


class Answer(NamedTuple):
    """What a server said."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


def with_web(config: Config, host: str = "127.0.0.1", **settings: object) -> Config:
    """The settings with pages at a free port."""
    settings = {"bind": f"{host}:{free_port()}", **settings}
    keys = str(config.directory / "keys")
    gateway = msgspec.structs.replace(config.gateway, keys=keys)
    web_config = msgspec.convert(settings, WebConfig)
    return msgspec.structs.replace(config, gateway=gateway, web=web_config)


@functools.cache
def _access() -> bytes:
    """The file that `emotion-edge web password` would write; each hash takes a while."""
    salt = b64encode(b"sixteen of salt!").decode()
    return msgspec.json.encode(
        Access(salt=salt, admin=hashed(ADMIN, salt), viewer=hashed(VIEWER, salt))
    )


def set_passwords(config: Config) -> None:
    config.web_directory.mkdir(mode=0o700)
    write_secret(config.web_directory / "access.json", _access())


def request(
    config: Config,
    path: str,
    method: str = "GET",
    body: str | bytes | None = None,
    **headers: str | None,
) -> Answer:
    """One request to 127.0.0.1. `headers`: _ for -; None = without that one."""
    port = config.web.address[1]
    sent = {"Host": f"127.0.0.1:{port}", **{k.replace("_", "-"): v for k, v in headers.items()}}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2 * PATIENCE_S)
    with contextlib.closing(connection):
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        data = body.encode() if isinstance(body, str) else body
        if data is not None:
            sent = {"Content-Length": str(len(data)), **sent}
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(data)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


def origin(config: Config) -> str:
    return f"http://127.0.0.1:{config.web.address[1]}"


class Browser:
    """Keeps cookies, and sends what a page of ours would send."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str | None) -> Answer:
        return self._keep(request(self.config, path, Cookie=self.cookie, **headers))

    def post(self, path: str, fields: Mapping[str, str] = {}, **headers: str | None) -> Answer:
        form = urlencode({"_xsrf": self.token, **fields})
        sent = {"Origin": origin(self.config), "Cookie": self.cookie, **headers}
        return self._keep(request(self.config, path, "POST", form, **sent))

    @property
    def token(self) -> str:
        """Against forged requests, as it stands in a page."""
        page = self.get("/login").text
        found = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert found, page
        return found[1]

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    @property
    def session(self) -> str:
        return self.cookies.get(COOKIE, "")

    def login(self, password: str) -> Answer:
        return self.post("/login", {"password": password})

    def _keep(self, answer: Answer) -> Answer:
        for value in answer.headers.get_all("Set-Cookie", []):
            name, _, rest = value.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return answer


class Packet(NamedTuple):
    """One of the live page."""

    frame_seq: int
    values: dict[str, Any]
    jpeg: bytes


def unpacked(data: bytes) -> Packet:
    seq, length = PACKET.unpack_from(data)
    end = PACKET.size + length
    return Packet(seq, json.loads(data[PACKET.size : end]), data[end:])


async def opened(config: Config, cookie: str = "", origin_: str | None = None) -> Any:
    """A WebSocket of the live page. Raises what Tornado's client does."""
    headers = {"Cookie": cookie, "Origin": origin(config) if origin_ is None else origin_}
    address = f"ws://127.0.0.1:{config.web.address[1]}/live"
    given = {name: value for name, value in headers.items() if value}
    return await websocket_connect(HTTPRequest(address, headers=given))


async def next_packet(live: Any, answer: bool = True) -> Packet:
    """The next one; None where the socket was closed. `answer`: that it was shown."""
    data = await asyncio.wait_for(live.read_message(), PATIENCE_S)
    assert data is not None, "closed"
    packet = unpacked(data)
    if answer:
        await live.write_message(str(packet.values["packet"]))
    return packet


async def until(live: Any, wanted: Callable[[Packet], bool]) -> Packet:
    """The first packet that is wanted."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        packet = await next_packet(live)
        if wanted(packet):
            return packet
    raise AssertionError("it did not come")


def watch(config: Config, look: Callable[[Any], Awaitable[Any]], cookie: str = "") -> Any:
    """Open a live page, have `look(live)` look at it, close it; returns what that returned."""

    async def run() -> Any:
        live = await opened(config, cookie)
        try:
            return await look(live)
        finally:
            live.close()

    return asyncio.run(run())


@contextlib.contextmanager
def serving(config: Config) -> Iterator[Browser]:
    """The web service, once it answers."""
    with running(web.run, config):
        wait_for(lambda: is_open(config), "the pages are served")
        yield Browser(config)


def is_open(config: Config) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", config.web.address[1])) == 0


def frame(seq: int, size: tuple[int, int] = (64, 48)) -> Frame:
    """A frame whose pixels tell its number: see `seq_of`."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    for bit in range(16):
        left = bit * width // 16
        image[:, left : (bit + 1) * width // 16] = 255 * (seq >> bit & 1)
    return Frame(seq, time.monotonic_ns(), time.time(), image)


def seq_of(jpeg: bytes) -> int:
    """The number of the frame that a JPEG shows."""
    image = Image.open(io.BytesIO(jpeg)).convert("L")
    middles = [(2 * bit + 1) * image.width // 32 for bit in range(16)]
    bright = [image.getpixel((x, image.height // 2)) for x in middles]
    return sum(1 << bit for bit, level in enumerate(bright) if level > 127)  # type: ignore


def face_of(number: int, **changes: object) -> FaceMessage:
    """Faces of the frame with this number; the box's left edge is that number, too."""
    face = msgspec.structs.replace(EXAMPLES["face"]["faces"][0], box=(float(number), 2.0, 3.0, 4.0))
    fields = {**EXAMPLES["face"], "faces": [face], "frame_size": (64, 48), **changes}
    return FaceMessage(
        t_ns=time.monotonic_ns(), time=time.time(), **{**fields, "frame_seq": number}
    )


def now(kind: type[Message], **fields: object) -> Message:
    return kind(t_ns=time.monotonic_ns(), time=time.time(), **fields)  # type: ignore[call-arg]
