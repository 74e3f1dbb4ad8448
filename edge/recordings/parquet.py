"""Lines as Apache Parquet: needs the extra `export` (pyarrow), on the machine that exports."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from edge.recordings.formats import Export, as_dict
from edge.recordings.table import COLUMNS, NOTICE

ROWS = 10_000
"""In a group."""
TEXTS = ("utc", "kind", "emotion", "trigger", "previous", "service", "state", "text")
WHOLE = ("stretch", "face", "x", "y", "w", "h", "n", "speech")


def schema(export: Export) -> pa.Schema:
    """A column each of COLUMNS; the notice and the session are metadata."""

    def kind(name: str) -> pa.DataType:
        return pa.string() if name in TEXTS else pa.int64() if name in WHOLE else pa.float64()

    metadata = {"notice": NOTICE, "session": json.dumps(as_dict(export.session))}
    return pa.schema([(name, kind(name)) for name in COLUMNS], metadata=metadata)


def write_parquet(export: Export, path: Path) -> None:
    """Writes as the lines come, some thousand at a time."""
    made = schema(export)
    with pq.ParquetWriter(path, made, compression="zstd") as writer:
        waiting = []
        for line in export.lines:
            waiting.append(line.cells)
            if len(waiting) == ROWS:
                writer.write_batch(batch(waiting, made))
                waiting = []
        if waiting:
            writer.write_batch(batch(waiting, made))


def batch(lines: list[list[object]], made: pa.Schema) -> pa.RecordBatch:
    columns = zip(*lines, strict=True)
    arrays = [pa.array(c, field.type) for c, field in zip(columns, made, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=made)
