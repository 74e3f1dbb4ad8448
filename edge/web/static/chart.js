// A chart over time on a canvas: stacked scores, below them lanes of decisions, faces and voices.
import { drawDecisions } from "./ribbon.js";
import { colourOf, text } from "./words.js";

const AXIS = 22, NAME = 19, LANE = 20, SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 28800, 86400, 172800];
const TOO_MANY = 500;  // changes that no sign could tell apart; the lane below shows them
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
    this.ink = Object.fromEntries(["text", "muted", "line", "track", "accent"].map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
    pen.scale(dpr, dpr);
    pen.font = `500 12px ${getComputedStyle(document.body).fontFamily}`;
    pen.textBaseline = "middle";
    const lanes = [3, 2, 1].map((n) => h - AXIS - n * (LANE + NAME) + NAME), foot = lanes[0] - NAME;
    this.drawGrid(pen, w, h, foot);
    for (const y of lanes) this.drawLane(pen, y, w);
    if (!history?.t.length) return;
    this.drawStack(pen, foot);
    drawDecisions(pen, history, (t) => this.x(t), lanes[0], LANE);
    this.drawChanges(pen, lanes[0]);
    this.drawFaces(pen, lanes[1]);
    this.drawVoices(pen, lanes[2]);
    this.drawMarks(pen, foot);
    this.drawNames(pen, lanes);
    if (this.selection) this.drawSelection(pen, foot);
  }

  drawGrid(pen, w, h, foot) {
    const span = this.until - this.since, step = SECONDS.find((s) => (s / span) * w > 76) ?? 172800;
    const offset = new Date(this.since * 1000).getTimezoneOffset() * 60;
    pen.fillStyle = this.ink.muted;
    pen.strokeStyle = this.ink.line;
    pen.textAlign = "center";
    for (let t = Math.ceil((this.since - offset) / step) * step + offset; t < this.until; t += step) {
      const x = Math.round(this.x(t)) + 0.5;
      pen.beginPath();
      pen.moveTo(x, NAME);
      pen.lineTo(x, h - AXIS);
      pen.stroke();
      if (x > 30 && x < w - 30) pen.fillText(clock(t, step), x, h - AXIS / 2);
    }
    pen.strokeRect(0.5, NAME + 0.5, w - 1, foot - NAME);
  }

  // A column for each bucket, the scores on top of each other; together as high as somebody was
  // there of the bucket's time.
  drawStack(pen, foot) {
    const { history } = this, labels = Object.keys(history.emotion);
    history.t.forEach((t, i) => {
      const [x, next] = [Math.floor(this.x(t)), Math.ceil(this.x(t + history.step_s))];
      const height = (foot - NAME) * this.presence(i);
      let y = foot;
      for (const label of labels) {
        const part = (history.emotion[label][i] ?? 0) * height;
        pen.fillStyle = colourOf(label);
        pen.fillRect(x, y - part, next - x, part);
        y -= part;
      }
    });
  }

  presence(i) {
    return Object.entries(this.history.labels).reduce((sum, [label, column]) => sum + (label === "nobody" ? 0 : column[i]), 0);
  }

  get most() { return Math.max(1, ...this.history.faces); }

  drawFaces(pen, y) {
    const { history, most } = this;
    pen.fillStyle = this.ink.muted;
    history.t.forEach((t, i) => {
      const [x, next] = [Math.floor(this.x(t)), Math.ceil(this.x(t + history.step_s))];
      const height = ((history.faces[i] ?? 0) / most) * LANE;
      pen.fillRect(x, y + LANE - height, next - x, height);
    });
  }

  drawVoices(pen, y) {
    for (const [t, emotion] of this.history.voice) {
      pen.fillStyle = colourOf(emotion);
      pen.beginPath();
      pen.arc(this.x(t), y + LANE / 2, LANE / 2.8, 0, 7);
      pen.fill();
    }
  }

  drawLane(pen, y, w) {
    pen.fillStyle = this.ink.track;
    pen.fillRect(0, y, w, LANE);
  }

  drawNames(pen, lanes) {
    const names = ["scores", "decided", "presence", "voice"].map((name) => text(`web.js.${name}`, { count: Math.ceil(this.most) }));
    pen.textAlign = "left";
    pen.fillStyle = this.ink.muted;
    [NAME, ...lanes].forEach((y, i) => pen.fillText(names[i], 1, y - NAME / 2 + 1));
  }

  // A stroke where a decision changed.
  drawChanges(pen, y) {
    const { changes } = this.history;
    pen.fillStyle = this.ink.text;
    if (changes.length < TOO_MANY) for (const [t] of changes) pen.fillRect(Math.round(this.x(t)) - 1, y - 4, 2, 6);
  }

  // A diamond, and a line through all scores.
  drawMarks(pen, foot) {
    pen.fillStyle = this.ink.accent;
    for (const [t] of this.history.marks) {
      const x = this.x(t), r = 5.5;
      pen.fillRect(x - 0.75, NAME, 1.5, foot - NAME);
      pen.beginPath();
      for (const [dx, dy] of [[0, -r], [r, 0], [0, r], [-r, 0]]) pen.lineTo(x + dx, NAME + dy);
      pen.fill();
    }
  }

  drawSelection(pen, foot) {
    const [a, b] = this.selection;
    pen.fillStyle = "rgb(255 176 77 / 35%)";
    pen.fillRect(Math.min(a, b), NAME, Math.abs(b - a), foot - NAME);
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

// The time, or the day where one begins.
function clock(t, step) {
  const date = new Date(t * 1000), isDay = step >= 86400 || (step >= 3600 && date.getHours() === 0);
  const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(step < 60 && { second: "2-digit" }) };
  return date.toLocaleString(LANGUAGE, isDay ? { weekday: "short", day: "numeric" } : time);
}
