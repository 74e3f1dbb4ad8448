"""`python -m benchmarks [FILE.json]`: measures, prints the table, writes the JSON.

Returns 1 where a figure is above its bar. The machine should have nothing else to do.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import figures
from benchmarks.figures import Figure
from benchmarks.measure import machine
from edge.inference.face_detection import YUNET_PATH


def measure() -> list[Figure]:
    """Every row of the table that this machine can measure."""
    rows = [*figures.start(), *figures.restart()]
    if YUNET_PATH.exists():
        yunet = figures.face_cpu("yunet")
        rows += [*yunet, *figures.desktop_ratio(yunet[0].value)]
    else:
        print(f"YuNet: not measured ({YUNET_PATH.name} is not there)", file=sys.stderr)
    rows += figures.face_cpu("haar")
    return [*rows, *figures.screen_age(), *figures.slow_consumer(), *figures.voice_delay()]


def table(rows: Sequence[Figure]) -> str:
    """Markdown, as docs/benchmarks.md shows it."""
    lines = ["| what | measured | bar | |", "|---|---|---|---|"]
    for row in rows:
        bar = "-" if row.bar is None else f"{row.bar:g} {row.unit}"
        missed = " **missed**" if is_missed(row) else ""
        lines.append(f"| {row.what} | {row.value:.3g} {row.unit}{missed} | {bar} | {row.note} |")
    return "\n".join(lines)


def is_missed(row: Figure) -> bool:
    return row.bar is not None and row.value > row.bar


def main() -> int:
    rows = measure()
    print(table(rows))
    report = {"machine": machine(), "figures": [row._asdict() for row in rows]}
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(json.dumps(report, indent=1) + "\n")
    else:
        print(json.dumps(report))
    return int(any(map(is_missed, rows)))


if __name__ == "__main__":
    raise SystemExit(main())
