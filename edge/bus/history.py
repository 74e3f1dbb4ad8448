"""The recorder's history, as the web page reads it: one request, one answer, both one JSON part.

The recorder binds a ROUTER at `config.endpoint("history")`; only members of the service's group
reach that folder. The client is a REQ or DEALER; `decode` and `encode` are both sides' words.
"""

from typing import Annotated

import msgspec
import zmq

from edge.bus.messages import BadMessageError, decode_as
from edge.bus.sockets import connect, make_socket

ENDPOINT = "history"
"""For `Config.endpoint`."""
MAX_POINTS = 2000
MAX_EVENTS = 1000
"""Voices, changes and marks in an answer, of each: the newest."""
MAX_ANSWER_BYTES = 2 * 1024 * 1024

MAX_UNIX_S = 253_402_300_799.0
"""The end of the year 9999, the last that a date can name."""
UnixSeconds = Annotated[float, msgspec.Meta(ge=0, le=MAX_UNIX_S)]


class HistoryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What of [since, until), in how many buckets of one length."""

    since: UnixSeconds
    until: UnixSeconds
    points: Annotated[int, msgspec.Meta(ge=1, le=MAX_POINTS)] = 600


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. Every list of a series is as long as `t`; None = nothing was recorded then."""

    t: list[float] = []
    """Unix time of each bucket's begin, s."""
    step_s: float = 0.0
    emotion: dict[str, list[float | None]] = {}
    """Mean fused score of each label; None also where there was nobody."""
    labels: dict[str, list[float]] = {}
    """Share of each bucket's time, 0 to 1, in which this was decided: an emotion, then `uncertain`,
    then `nobody`. What is left to 1: nothing was recorded. What was never decided is left out."""
    faces: list[float | None] = []
    """Mean number of faces."""
    voice: list[tuple[float, str, float]] = []
    """(Unix time, emotion, confidence) of each recording with speech."""
    changes: list[tuple[float, str, str]] = []
    """(Unix time, previous, emotion)"""
    marks: list[tuple[float, str]] = []
    """(Unix time, text)"""
    error: str = ""
    """Why there is no answer, in one line; "" = all is well."""


encode = msgspec.json.Encoder().encode
_requests = msgspec.json.Decoder(HistoryRequest)
_answers = msgspec.json.Decoder(History)


def decode_request(body: bytes) -> HistoryRequest:
    """Raises BadMessageError."""
    request = decode_as(_requests, ENDPOINT, body)
    if request.until <= request.since:
        raise BadMessageError(f"{ENDPOINT}: until is not after since")
    return request


def decode_history(body: bytes) -> History:
    """Raises BadMessageError."""
    return decode_as(_answers, ENDPOINT, body)


def connect_history(
    endpoint: str, context: "zmq.Context[zmq.Socket[bytes]] | None" = None
) -> "zmq.Socket[bytes]":
    """A DEALER for requests: send one part, receive one part. Raises BusError.

    `context`: one of zmq.asyncio makes the socket awaitable; None = the process's. Without a
    recorder nothing answers: wait with a limit.
    """
    socket = make_socket(zmq.DEALER, context)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_ANSWER_BYTES)
    connect(socket, endpoint)
    return socket
