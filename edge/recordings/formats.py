"""Lines as files for others' programs: csv, jsonl, tsv-bids, webvtt, pyfeat; parquet is apart.

Each takes the lines as they come and writes as it goes. What people wrote (notes, marks) and what
came over the bus is data: it is quoted, and never a formula, a tag or a column of its own.
"""

import csv
import html
import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple, TextIO

import msgspec

from edge.bus.recordings import Session
from edge.recordings.episodes import MARK_S, Episode, episodes
from edge.recordings.table import AT, COLUMNS, NOTICE, Line, Table

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets run. OWASP, "CSV injection"."""
FOREIGN = {
    kind: [AT[name] for name in names]
    for kind, names in {
        "emotion": ("emotion",),
        "face": ("emotion",),
        "voice": ("emotion", "trigger"),
        "change": ("emotion", "previous"),
        "health": ("service", "state", "text"),
        "mark": ("text",),
        "gap": (),
    }.items()
}
"""{kind: cells that others filled}"""
MISSING = "n/a"
"""BIDS specification, "Tabular files"."""
PYFEAT_EMOTIONS = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprise": "surprise",
    "neutral": "neutral",
}
PYFEAT = (
    *("input", "frame", "FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"),
    *PYFEAT_EMOTIONS,
    "Identity",
)
"""As feat.utils.FEAT_FACEBOX_COLUMNS and FEAT_EMOTION_COLUMNS of py-feat name them."""
BIDS = ("onset", "duration", "trial_type", "value", "confidence", "faces")


class Export(NamedTuple):
    """What is written, and how."""

    table: Table
    lines: Iterable[Line]
    session: Session | None
    step_s: float = 1.0
    """How long a line of `emotion` stands for."""
    separator: str = ","


def write_csv(export: Export, out: TextIO) -> None:
    """RFC 4180, UTF-8. With `;` numbers have a decimal comma, as where `;` is used."""
    writer = csv.writer(out, delimiter=export.separator)
    writer.writerow([*COLUMNS, NOTICE])
    rows = map(csv_row, export.lines)
    writer.writerows(map(with_comma, rows) if export.separator == ";" else rows)


def csv_row(line: Line) -> list[Any]:
    """Its cells, and an empty one under the notice."""
    cells = line.cells
    for at in FOREIGN[line.kind]:
        if cells[at]:
            cells[at] = safe(cells[at])
    cells.append(None)
    return cells


def with_comma(cells: list[Any]) -> list[Any]:
    return [str(cell).replace(".", ",") if type(cell) is float else cell for cell in cells]


def safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def write_jsonl(export: Export, out: TextIO) -> None:
    """One object a line: a header, the stretches as they begin, and the lines."""
    header = {"kind": "header", "notice": NOTICE, "session": as_dict(export.session)}
    out.write(json.dumps(header, ensure_ascii=False) + "\n")
    known: set[int] = set()
    encode = msgspec.json.Encoder().encode
    for line in export.lines:
        number = line.cell("stretch")
        if number not in known:
            known.add(number)
            out.write(json.dumps(stretch_of(export.table, number), ensure_ascii=False) + "\n")
        cells = zip(COLUMNS, line.cells, strict=True)
        out.write(encode({name: cell for name, cell in cells if cell is not None}).decode() + "\n")


def stretch_of(table: Table, number: int) -> dict[str, Any]:
    """What made the results of a stretch."""
    row = table.stretches.get(number, [number])
    names = ("stretch", "time", "monotonic_s", "why", "device", "version", "models")
    return {"kind": "stretch", **dict(zip(names, row, strict=False))}


def as_dict(session: Session | None) -> dict[str, Any] | None:
    return None if session is None else msgspec.to_builtins(session)


def write_bids(export: Export, out: TextIO) -> None:
    """`*_events.tsv` of the Brain Imaging Data Structure; the sidecar has the descriptions."""
    out.write("\t".join(BIDS) + "\n")
    for episode in episodes(export.lines, export.step_s):
        cells = [number(episode.onset_s), number(episode.duration_s), episode.kind]
        cells += [safe(plain(episode.value)) or MISSING]
        cells += [number(episode.confidence), number(episode.faces)]
        out.write("\t".join(cells) + "\n")


def number(value: float | None) -> str:
    return MISSING if value is None else f"{value:g}" if abs(value) < 1e5 else f"{value:.3f}"


def plain(text: str) -> str:
    """In one line, without tabs: TSV has no quotes."""
    return re.sub(r"\s+", " ", text).strip()


def bids_sidecar(export: Export) -> str:
    """`*_events.json`."""
    levels = {
        "emotion": "face and voice together, as long as one label lasted",
        "voice": "a recording of the voice, from its beginning",
        "mark": "a mark that somebody set; it has no duration",
        "gap": "nothing was recorded",
    }
    columns: dict[str, Any] = {
        "onset": {"Description": "from the beginning of the session", "Units": "s"},
        "duration": {"Description": "how long it lasted", "Units": "s"},
        "trial_type": {"LongName": "kind", "Description": "what this is", "Levels": levels},
        "value": {
            "Description": "the label, or the mark's text; before text that a spreadsheet would "
            f"take for a formula ({' '.join(FORMULA[:4])}) stands an apostrophe"
        },
        "confidence": {"Description": "the label's mean score, from 0 to 1"},
        "faces": {"Description": "the mean number of faces in the picture"},
        "StimulusPresentation": {"SoftwareName": "Emotion Edge"},
        "Notice": NOTICE,
    }
    if export.session is not None:
        columns["Session"] = as_dict(export.session)
    return json.dumps(columns, indent=2, ensure_ascii=False) + "\n"


def write_webvtt(export: Export, out: TextIO) -> None:
    """Captions for a film that began with the session. W3C, WebVTT."""
    about = f" Session {export.session.id}." if export.session else ""
    out.write(f"WEBVTT\n\nNOTE {NOTICE}.{about} Made by Emotion Edge.\n")
    for episode in episodes(export.lines, export.step_s):
        if episode.kind == "gap":
            continue
        end_s = episode.onset_s + (episode.duration_s or MARK_S)
        out.write(f"\n{timestamp(episode.onset_s)} --> {timestamp(end_s)}\n{caption(episode)}\n")


def timestamp(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def caption(episode: Episode) -> str:
    """One line; `&`, `<` and `>` as WebVTT wants them."""
    text = html.escape(plain(episode.value), quote=False)
    if episode.kind == "mark":
        return f"mark: {text}"
    sure = "" if not episode.confidence else f" {100 * episode.confidence:.0f}%"
    people = f" ({episode.faces:.1f} faces)" if (episode.faces or 0) > 1.05 else ""
    return f"{'voice: ' if episode.kind == 'voice' else ''}{text}{sure}{people}"


def write_pyfeat(export: Export, out: TextIO) -> None:
    """A table that py-feat's Fex takes: a row a face, its emotions under py-feat's names."""
    writer = csv.writer(out)
    writer.writerow([*PYFEAT, NOTICE])
    name = export.session.id if export.session else ""
    for line in export.lines:
        if line.kind == "face":
            frame = round(line.cell("onset_s") / export.step_s)
            box = (line.cell(side) for side in "xywh")
            scores = (line.cell(ours) for ours in PYFEAT_EMOTIONS.values())
            identity = f"{line.cell('stretch')}-{line.cell('face')}"
            # Whether it is a face is decided before it is kept; that score is not.
            writer.writerow([name, frame, *box, 1.0, *scores, identity, None])


WRITERS = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "tsv-bids": write_bids,
    "webvtt": write_webvtt,
    "pyfeat": write_pyfeat,
}
