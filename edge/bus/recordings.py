"""What is asked of the recorder beside its history: sessions, marks, rows. See edge.bus.requests.

It binds a ROUTER at `config.endpoint("recordings")`.
"""

from typing import Annotated, Any

import msgspec

from edge.bus.history import MAX_UNIX_S, UnixSeconds
from edge.bus.messages import decode_as
from edge.bus.requests import Requester

ENDPOINT = "recordings"
"""For `Config.endpoint`."""
MAX_NOTE, MAX_MARK = 2000, 200
"""Characters of a note or a consent, and of a mark."""
TIMEOUT_S = 10.0
DELETE_TIMEOUT_S = 120.0

Note = Annotated[str, msgspec.Meta(max_length=MAX_NOTE)]
Mark = Annotated[str, msgspec.Meta(max_length=MAX_MARK)]
Stretch = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Position = tuple[Stretch, UnixSeconds]
"""(stretch, Unix time by its clock, s): grows for ever, also where the clock is set back."""
BEGIN: Position = (0, 0.0)
END: Position = (2**62, 0.0)
Cursor = tuple[str, Stretch, UnixSeconds]
"""(day, *position) of the next row."""
Rows = dict[str, list[list[Any]]]
"""{table: rows, in the order of edge.policy.seconds.TABLES}"""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    note: str
    consent: str
    start: Position
    stop: Position | None = None
    """None = it goes on."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """What is between two positions, and between two Unix times, s."""

    start: Position = BEGIN
    stop: Position = END
    since: UnixSeconds = 0.0
    until: UnixSeconds = MAX_UNIX_S


class Request(msgspec.Struct, frozen=True, kw_only=True):
    pass


class StartSession(Request, frozen=True, kw_only=True, tag="start"):
    note: Note = ""
    consent: Note = ""


class StopSession(Request, frozen=True, kw_only=True, tag="stop"):
    pass


class AddMark(Request, frozen=True, kw_only=True, tag="mark"):
    text: Mark


class ListSessions(Request, frozen=True, kw_only=True, tag="list"):
    pass


class DeleteSession(Request, frozen=True, kw_only=True, tag="delete"):
    id: str


class ReadRows(Request, frozen=True, kw_only=True, tag="rows"):
    """The rows of some minutes."""

    span: Span
    cursor: Cursor | None = None
    """None = from the beginning, after all that was not yet on the disk."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    error: str = ""
    """Why it was not done, in one line; "" = it was."""
    sessions: list[Session] = []
    """All, or the one that it is about."""
    rows: Rows = {}
    cursor: Cursor | None = None
    """Where the next rows are; None = there are none."""


AnyRequest = StartSession | StopSession | AddMark | ListSessions | DeleteSession | ReadRows
encode = msgspec.json.Encoder().encode
_requests: msgspec.json.Decoder[AnyRequest] = msgspec.json.Decoder(AnyRequest)
_answers = msgspec.json.Decoder(Answer)


def decode_request(body: bytes) -> AnyRequest:
    """Raises BadMessageError."""
    return decode_as(_requests, ENDPOINT, body)


def ask(requester: Requester, request: Request) -> Answer:
    """Raises BusError where nothing answers, BadMessageError for another version's answer."""
    limit_s = DELETE_TIMEOUT_S if isinstance(request, DeleteSession) else TIMEOUT_S
    return decode_as(_answers, ENDPOINT, requester.ask(encode(request), limit_s))
