// A chart over time on a canvas: stacked scores, below them lanes for faces and voices.
import { colourOf, text } from "./words.js";

const AXIS = 20, LANE = 24, GAP = 8, SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800];
const LANGUAGE = document.documentElement.lang;

export class Chart {
  // onZoom(since, until): the user wants to see this span, Unix s.
  constructor(canvas, onZoom) {
    this.canvas = canvas;
    this.onZoom = onZoom;
    this.history = null;
    [this.since, this.until] = [0, 1];
    new ResizeObserver(() => this.draw()).observe(canvas);
    this.listen();
  }

  show(history, since, until) {
    [this.history, this.since, this.until] = [history, since, until];
    this.draw();
  }

  x(t) { return ((t - this.since) / (this.until - this.since)) * this.canvas.clientWidth; }

  t(x) { return this.since + (x / this.canvas.clientWidth) * (this.until - this.since); }

  draw() {
    const { canvas, history } = this, dpr = window.devicePixelRatio || 1;
    const w = canvas.clientWidth, h = canvas.clientHeight;
    [canvas.width, canvas.height] = [Math.round(w * dpr), Math.round(h * dpr)];
    const pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    this.ink = Object.fromEntries(["text", "muted", "line", "track", "card"].map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
    pen.scale(dpr, dpr);
    pen.font = `500 12px ${getComputedStyle(document.body).fontFamily}`;
    pen.textBaseline = "middle";
    const lanes = h - AXIS - 2 * (LANE + GAP), plot = lanes - GAP;
    this.drawGrid(pen, w, h, plot);
    if (!history?.t.length) return;
    this.drawStack(pen, plot);
    this.drawFaces(pen, lanes, w);
    this.drawVoices(pen, lanes + LANE + GAP, w);
    this.drawChanges(pen, plot);
    if (this.selection) this.drawSelection(pen, plot);
  }

  drawGrid(pen, w, h, plot) {
    const span = this.until - this.since, step = SECONDS.find((s) => (s / span) * w > 76) ?? 172800;
    const offset = new Date(this.since * 1000).getTimezoneOffset() * 60;
    pen.fillStyle = this.ink.muted;
    pen.strokeStyle = this.ink.line;
    pen.textAlign = "center";
    for (let t = Math.ceil((this.since - offset) / step) * step + offset; t < this.until; t += step) {
      const x = Math.round(this.x(t)) + 0.5;
      pen.beginPath();
      pen.moveTo(x, 0);
      pen.lineTo(x, h - AXIS);
      pen.stroke();
      if (x > 30 && x < w - 30) pen.fillText(clock(t, step, span), x, h - AXIS / 2);
    }
    pen.strokeRect(0.5, 0.5, w - 1, plot);
  }

  // A column for each bucket, the scores on top of each other; a gap stays empty.
  drawStack(pen, plot) {
    const { history } = this, labels = Object.keys(history.emotion);
    history.t.forEach((t, i) => {
      const [x, next] = [Math.floor(this.x(t)), Math.ceil(this.x(t + history.step_s))];
      let y = plot;
      for (const label of labels) {
        const score = history.emotion[label][i];
        if (!score) continue;
        pen.fillStyle = colourOf(label);
        pen.fillRect(x, y - score * plot, next - x, score * plot);
        y -= score * plot;
      }
    });
  }

  drawFaces(pen, y, w) {
    const { history } = this, most = Math.max(1, ...history.faces.filter((n) => n !== null));
    this.drawLane(pen, y, w);
    pen.fillStyle = this.ink.muted;
    history.t.forEach((t, i) => {
      const height = ((history.faces[i] ?? 0) / most) * LANE;
      pen.fillRect(this.x(t), y + LANE - height, this.x(t + history.step_s) - this.x(t) + 0.5, height);
    });
    this.drawName(pen, y, `${text("web.js.presence")} ≤ ${Math.ceil(most)}`);
  }

  drawVoices(pen, y, w) {
    this.drawLane(pen, y, w);
    for (const [t, emotion] of this.history.voice) {
      pen.fillStyle = colourOf(emotion);
      pen.beginPath();
      pen.arc(this.x(t), y + LANE / 2, LANE / 3.4, 0, 7);
      pen.fill();
    }
    this.drawName(pen, y, text("web.js.voice"));
  }

  drawLane(pen, y, w) {
    pen.fillStyle = this.ink.track;
    pen.fillRect(0, y, w, LANE);
  }

  drawName(pen, y, name) {
    pen.textAlign = "left";
    const width = pen.measureText(name).width;
    pen.fillStyle = this.ink.card;
    pen.fillRect(4, y + 3, width + 10, LANE - 6);
    pen.fillStyle = this.ink.text;
    pen.fillText(name, 9, y + LANE / 2 + 1);
  }

  drawChanges(pen, plot) {
    pen.fillStyle = this.ink.text;
    for (const [t] of [...this.history.changes, ...this.history.marks]) {
      const x = this.x(t);
      pen.beginPath();
      pen.moveTo(x - 4, plot + GAP);
      pen.lineTo(x + 4, plot + GAP);
      pen.lineTo(x, plot + 1);
      pen.fill();
    }
  }

  drawSelection(pen, plot) {
    const [a, b] = this.selection;
    pen.fillStyle = "rgb(255 176 77 / 35%)";
    pen.fillRect(Math.min(a, b), 0, Math.abs(b - a), plot);
  }

  listen() {
    const { canvas } = this, at = (event) => event.clientX - canvas.getBoundingClientRect().left;
    canvas.addEventListener("pointerdown", (event) => { this.selection = [at(event), at(event)]; canvas.setPointerCapture(event.pointerId); });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.selection) return;
      this.selection[1] = at(event);
      this.draw();
    });
    canvas.addEventListener("pointercancel", () => { this.selection = null; this.draw(); });
    canvas.addEventListener("pointerup", () => {
      const [a, b] = [...this.selection ?? [0, 0]].sort((p, q) => p - q);
      this.selection = null;
      if (b - a > 8) this.onZoom(this.t(a), this.t(b));
      else this.draw();
    });
    canvas.addEventListener("dblclick", () => this.zoom(3));
    canvas.addEventListener("keydown", (event) => {
      const actions = { "+": () => this.zoom(0.5), "-": () => this.zoom(2), ArrowLeft: () => this.move(-0.25), ArrowRight: () => this.move(0.25), 0: () => this.onZoom(0, 0) };
      if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
    });
  }

  zoom(factor) {
    const [middle, half] = [(this.since + this.until) / 2, ((this.until - this.since) / 2) * factor];
    this.onZoom(middle - half, middle + half);
  }

  move(fraction) {
    const by = (this.until - this.since) * fraction;
    this.onZoom(this.since + by, this.until + by);
  }
}

function clock(t, step, span) {
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(step < 60 && { second: "2-digit" }) };
  const day = { weekday: "short", ...(span > 86400 * 8 && { day: "numeric", month: "numeric" }) };
  return new Date(t * 1000).toLocaleString(LANGUAGE, step >= 43200 ? day : time);
}
