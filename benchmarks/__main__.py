"""`python -m benchmarks [FILE.json]`: measures; prints table and JSON, or writes them.

With FILE.json the JSON goes there and the table into FILE.md. Returns 1 where a figure is above its
bar. The machine should have nothing else to do.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import figures, full_screen
from benchmarks.figures import Figure
from benchmarks.measure import machine
from edge.inference.yunet import YUNET_PATH


def measure() -> list[Figure]:
    """Every row of the table that this machine can measure."""
    rows = [*figures.start(), *figures.restart(), *figures.curve()]
    if YUNET_PATH.exists():
        yunet = figures.face_cpu("yunet")
        rows += [*yunet, *figures.desktop_ratio(yunet[0].value)]
    else:
        print(f"YuNet: not measured ({YUNET_PATH.name} is not there)", file=sys.stderr)
    rows += figures.face_cpu("haar")
    rows += [*figures.screen_age(), *full_screen.window(), *full_screen.on_framebuffer()]
    return [*rows, *figures.slow_consumer(), *figures.voice_delay()]


def table(rows: Sequence[Figure]) -> str:
    """Markdown, as docs/reports/benchmarks.md shows it."""
    lines = ["| what | measured | bar | |", "|---|---|---|---|"]
    for row in rows:
        bar = "-" if row.bar is None else f"{row.bar:g} {row.unit}"
        missed = " **missed**" if is_missed(row) else ""
        lines.append(f"| {row.what} | {row.value:.3g} {row.unit}{missed} | {bar} | {row.note} |")
    return "\n".join(lines)


def is_missed(row: Figure) -> bool:
    return row.bar is not None and row.value > row.bar


def page(rows: Sequence[Figure]) -> str:
    """The table, and the machine that it was measured on."""
    about = machine()
    described = (
        f"{about['cpu']}, {about['cores']} cores, {about['system']}, Python {about['python']}"
    )
    return (
        "# Benchmarks\n\n"
        "Made by `make bench ARGS=docs/reports/benchmarks.json`: the product as\n"
        "`emotion-edge run` starts it, 640x480 at 30 frames a second, one face (the demo),\n"
        "one thread a model.\n\n"
        f"Machine: {described}; shared with others, so the ratios say more than the times.\n\n"
        f"{table(rows)}\n"
    )


def main() -> int:
    rows = measure()
    report = json.dumps(
        {"machine": machine(), "figures": [row._asdict() for row in rows]}, indent=1
    )
    print(table(rows))
    if sys.argv[1:]:
        file = Path(sys.argv[1])
        file.write_text(report + "\n")
        file.with_suffix(".md").write_text(page(rows))
    else:
        print(report)
    return int(any(map(is_missed, rows)))


if __name__ == "__main__":
    raise SystemExit(main())
