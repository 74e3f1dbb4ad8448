"""Messages and results as CSV (RFC 4180), in the columns of docs/files.md: one header, a row each.

Columns keep their names and order; new ones come at the end. Needs no numpy: `watch` is a client.
"""

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from edge.bus.messages import EMOTION_LABELS, FaceMessage, FaceResult, Message
from edge.commands.text import printable, write_output
from edge.policy.fusion import FROM_VOICE

FACE = ("face", "x", "y", "w", "h", "held")
RESULT = ("speech", "emotion", "confidence", "valence", "arousal", *EMOTION_LABELS)
CLASSIFY = ("file", "kind", "frame", "time_s", *FACE, *RESULT)
WATCH = (
    *("time", "device", "topic", "seq", "age_ms", *FACE, *RESULT),
    *("face_age_s", "voice_age_s", "trigger", "duration_s", "phase", "elapsed_s", "level_dbfs"),
    *("previous", "lasted_s", "state", "detail", "rate_hz", "dropped", "rss_mb", "soc_c"),
)

Row = Mapping[str, object]


class CsvOutput:
    """Writes a header, then rows, to stdout."""

    def __init__(self, columns: Sequence[str]) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(newline="")  # the csv module ends the lines itself
        self._writer = csv.DictWriter(self, columns, extrasaction="ignore")
        self._writer.writeheader()

    def write_row(self, row: Row) -> None:
        """Other keys than the columns are left out. Raises OutputError."""
        self._writer.writerow({column: _cell(value) for column, value in row.items()})

    def write(self, text: str) -> None:
        """For the csv module: a whole row."""
        write_output(f"{printable(text.strip())}\n" if sys.stdout.isatty() else text)


def _cell(value: object) -> object:
    """true and false as in JSON."""
    return str(value).lower() if isinstance(value, bool) else value


def message_rows(topic: str, message: Message) -> Iterator[Row]:
    """A row for a message; of `face` one for each face."""
    row = {"topic": topic, **_spread(message)}
    if isinstance(message, FaceMessage):
        yield from face_rows(row, message.faces)
    else:
        yield {**row, "face": row.get("face_id")}


def face_rows(row: Row, faces: Sequence[FaceResult]) -> Iterator[Row]:
    """`row` with each face; as it is where there is none."""
    for face in faces:
        x, y, w, h = face.box
        yield {**row, **_spread(face), "face": face.id, "x": x, "y": y, "w": w, "h": h}
    if not faces:
        yield row


def result_row(row: Row, result: msgspec.Struct) -> Row:
    """`row` with the fields of a result, its scores in columns of their own."""
    return {**row, **_spread(result)}


def _spread(struct: msgspec.Struct) -> dict[str, Any]:
    """Its fields; each score under the label that `emotion` has for it."""
    fields = {name: getattr(struct, name) for name in struct.__struct_fields__}
    scores = fields.pop("scores", None) or {}
    return {**fields, **{FROM_VOICE.get(label, label): score for label, score in scores.items()}}
