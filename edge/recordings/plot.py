"""A summary as a picture: .html is one file with an SVG in it, .png needs the extra `plot`."""

import html
import textwrap
from pathlib import Path

from edge.bus.messages import EMOTION_LABELS
from edge.errors import UserError
from edge.recordings.summary import Point, Summary, clock
from edge.recordings.table import NOTICE

COLOURS = {
    "angry": "#d9512c",
    "disgust": "#7f9f3f",
    "fear": "#8e7cc3",
    "happy": "#ffd12e",
    "neutral": "#b8c4cc",
    "sad": "#2478e8",
    "surprise": "#ff9ea6",
    "calm": "#29c7c7",
}
WIDTH, LEFT, RIGHT = 980, 70, 40
HEIGHTS = {"scores": 220, "feeling": 160, "faces": 80}
GAP, TOP = 46, 40
TICKS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
MAX_TICKS = 8
MAX_TITLE = 120
"""Characters; the page has all of a note."""
LINES = {"valence": "#1b7f4b", "arousal": "#b3391f"}


def save(summary: Summary, title: str, path: Path) -> None:
    """Raises UserError for another ending, ModuleNotFoundError without matplotlib for a .png."""
    if path.suffix == ".html":
        path.write_text(page(summary, title), encoding="utf-8")
    elif path.suffix == ".png":
        save_png(summary, title, path)
    else:
        raise UserError(f"--plot {path}: write a name that ends in .html or .png")


def page(summary: Summary, title: str) -> str:
    """An HTML page that needs nothing else, not even a script."""
    head = html.escape(title)
    text = html.escape("\n".join(summary.text()))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{head}</title>'
        "<style>body{font:15px/1.45 system-ui,sans-serif;max-width:62rem;margin:2rem auto;"
        "padding:0 1rem;color:#1d252b}svg{width:100%;height:auto}pre{overflow:auto}</style>"
        f"<h1>{head}</h1>{drawing(summary)}<pre>{text}</pre><p>{html.escape(NOTICE)}.</p></html>\n"
    )


def ticks(end_s: float) -> range:
    """Moments of the time axis that are round by the clock, s."""
    step = next((step for step in TICKS_S if end_s / step <= MAX_TICKS), round(end_s / MAX_TICKS))
    return range(0, int(end_s) + 1, step)


def drawing(summary: Summary) -> str:
    """Three charts over one time axis."""
    points, step_s = summary.series.points(), summary.series.step_s
    end_s = max([points[-1].onset_s + step_s if points else 1.0, 1.0])
    parts, y = [], TOP
    for name, height in HEIGHTS.items():
        chart = Chart(y, height, end_s)
        parts += CHARTS[name](chart, points, step_s)
        parts += chart.frame(name)
        y += height + GAP
    parts += [chart.mark(at, text) for at, text in summary.marks]
    parts += chart.times()
    legend = [
        f'<rect x="{LEFT + 105 * n}" y="8" width="12" height="12" fill="{COLOURS[label]}"/>'
        f'<text x="{LEFT + 105 * n + 18}" y="19">{label}</text>'
        for n, label in enumerate(EMOTION_LABELS)
    ]
    return (
        f'<svg viewBox="0 0 {WIDTH} {y}" role="img" font-size="13" fill="#1d252b" '
        f'aria-label="emotion, valence, arousal and faces over time">'
        f"{''.join([*legend, *parts])}</svg>"
    )


class Chart:
    """A part of the drawing: Unix time to the right, a value upwards."""

    def __init__(self, y: int, height: int, end_s: float) -> None:
        self.y, self.height, self.end_s = y, height, end_s

    def x_of(self, onset_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * onset_s / self.end_s

    def y_of(self, share: float) -> float:
        """`share`: 0 = the foot, 1 = the top."""
        return self.y + self.height * (1 - share)

    def rect(self, onset_s: float, step_s: float, low: float, high: float, colour: str) -> str:
        x, width = self.x_of(onset_s), self.x_of(onset_s + step_s) - self.x_of(onset_s)
        top = self.y_of(high)
        return (
            f'<rect x="{x:.2f}" y="{top:.2f}" width="{width + 0.3:.2f}" '
            f'height="{self.y_of(low) - top:.2f}" fill="{colour}"/>'
        )

    def frame(self, name: str) -> list[str]:
        low, high = {"feeling": ("-1", "+1"), "scores": ("0", "1")}.get(name, ("0", ""))
        width = WIDTH - LEFT - RIGHT
        return [
            f'<rect x="{LEFT}" y="{self.y}" width="{width}" height="{self.height}" fill="none" '
            'stroke="#8a969e"/>',
            f'<text x="{LEFT - 6}" y="{self.y + 12}" text-anchor="end">{high}</text>',
            f'<text x="{LEFT - 6}" y="{self.y + self.height}" text-anchor="end">{low}</text>',
        ]

    def mark(self, onset_s: float, text: str) -> str:
        x = self.x_of(onset_s)
        return (
            f'<path d="M{x:.1f} {TOP}V{self.y + self.height}" stroke="#1d252b" '
            f'stroke-dasharray="4 3"><title>{clock(onset_s)} {html.escape(text)}</title></path>'
        )

    def times(self) -> list[str]:
        y = self.y + self.height + 18
        return [
            f'<text x="{self.x_of(at_s):.1f}" y="{y}" text-anchor="middle">{clock(at_s)}</text>'
            for at_s in ticks(self.end_s)
        ]


def draw_scores(chart: Chart, points: list[Point], step_s: float) -> list[str]:
    """The scores of the fused emotion, one on the other; white = nobody, or nothing was kept."""
    parts = []
    for point in points:
        low = 0.0
        for label, score in point.scores.items():
            parts.append(chart.rect(point.onset_s, step_s, low, low + score, COLOURS[label]))
            low += score
    return parts


def draw_feeling(chart: Chart, points: list[Point], step_s: float) -> list[str]:
    parts = []
    for axis, (name, colour) in enumerate(LINES.items()):
        path, last_s = "", float("-inf")
        for point in points:
            if (both := point.valence_arousal) is None:
                continue
            pen = "L" if point.onset_s - last_s < 1.5 * step_s else "M"
            x, y = chart.x_of(point.onset_s + step_s / 2), chart.y_of((both[axis] + 1) / 2)
            path += f"{pen}{x:.1f} {y:.1f}"
            last_s = point.onset_s
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x = LEFT + 8 + 80 * axis
        parts.append(f'<text x="{x}" y="{chart.y - 6}" fill="{colour}">{name}</text>')
    return parts


def draw_faces(chart: Chart, points: list[Point], step_s: float) -> list[str]:
    most = max([1.0, *(point.faces or 0.0 for point in points)])
    parts = [f'<text x="{LEFT + 8}" y="{chart.y - 6}">faces, up to {most:.1f}</text>']
    for point in points:
        if point.faces:
            parts.append(chart.rect(point.onset_s, step_s, 0, point.faces / most, "#5b7c99"))
    return parts


CHARTS = {"scores": draw_scores, "feeling": draw_feeling, "faces": draw_faces}


def save_png(summary: Summary, title: str, path: Path) -> None:
    """The same three charts, by matplotlib."""
    from matplotlib.figure import Figure

    points, step_s = summary.series.points(), summary.series.step_s
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    scores, feeling, faces = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 1))
    onsets = [point.onset_s for point in points]
    low = [0.0] * len(points)
    for label in EMOTION_LABELS:
        values = [point.scores.get(label, 0.0) for point in points]
        scores.bar(onsets, values, step_s, low, align="edge", color=COLOURS[label], label=label)
        low = [a + b for a, b in zip(low, values, strict=True)]
    nothing = (float("nan"), float("nan"))
    for axis, (name, colour) in enumerate(LINES.items()):
        values = [(point.valence_arousal or nothing)[axis] for point in points]
        feeling.plot(onsets, values, color=colour, label=name)
    shown = [point.faces or 0.0 for point in points]
    faces.bar(onsets, shown, step_s, align="edge", color="#5b7c99")
    for axes in (scores, feeling, faces):
        for at, _ in summary.marks:
            axes.axvline(at, color="#1d252b", linestyle="--", linewidth=0.8)
    end_s = onsets[-1] + step_s if onsets else 1.0
    marked = ticks(end_s)
    scores.set(ylabel="score", ylim=(0, 1), xlim=(0, end_s))
    feeling.set(ylim=(-1, 1))
    faces.set(ylabel="faces", ylim=(0, max([1.0, *shown])), xlabel=NOTICE)
    faces.set_xticks(marked, [clock(at_s) for at_s in marked])
    faces.xaxis.label.set_fontsize(7)
    for axes, columns in ((scores, len(EMOTION_LABELS)), (feeling, len(LINES))):
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "frameon": False}
        axes.legend(ncols=columns, fontsize="small", **above)
    figure.suptitle(textwrap.shorten(title, MAX_TITLE), wrap=True, parse_math=False)
    figure.savefig(path, dpi=120)
