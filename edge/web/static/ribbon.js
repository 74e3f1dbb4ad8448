// What was decided, as a band of colours over time, and how much of the time each label held.
import { colourOf, emotionName, percent, text } from "./words.js";

// {label: its share of the time that was recorded}, the largest first.
export function shares(history) {
  const sums = Object.entries(history.labels).map(([label, column]) => [label, column.reduce((a, b) => a + b, 0)]);
  const all = sums.reduce((sum, [, n]) => sum + n, 0);
  return Object.fromEntries(sums.sort((a, b) => b[1] - a[1]).map(([label, n]) => [label, n / all]));
}

// x(t): px of a Unix time; the band is h px high, from y down. A gap stays empty.
export function drawDecisions(pen, history, x, y, h) {
  const labels = Object.entries(history.labels);
  history.t.forEach((t, i) => {
    let foot = y + h;
    for (const [label, column] of labels) {
      foot -= column[i] * h;
      fill(pen, label, x(t), x(t + history.step_s), foot, column[i] * h);
    }
  });
}

function fill(pen, label, from, to, y, h) {
  pen.fillStyle = colourOf(label);
  pen.fillRect(Math.floor(from), y, Math.ceil(to) - Math.floor(from), h);
}

// Of a bucket; undefined = nothing was recorded.
function longest(history, i) {
  const known = Object.entries(history.labels).filter(([, column]) => column[i]);
  return known.sort(([, a], [, b]) => b[i] - a[i])[0]?.[0];
}

export function drawRibbon(canvas, history, since, until) {
  const dpr = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  [canvas.width, canvas.height] = [Math.round(w * dpr), Math.round(h * dpr)];
  const pen = canvas.getContext("2d"), x = (t) => ((t - since) / (until - since)) * w;
  pen.scale(dpr, dpr);
  history.t.forEach((t, i) => {
    const label = longest(history, i);
    if (label) fill(pen, label, x(t), x(t + history.step_s), 0, h);
  });
  for (const [t, emotion] of history.voice) {
    for (const [colour, radius] of [["#12151a", 6.5], [colourOf(emotion), 4]]) {
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(Math.min(w - 7, x(t)), h / 2, radius, 0, 7);
      pen.fill();
    }
  }
  const told = Object.entries(shares(history)).map(([label, share]) => `${emotionName(label)} ${percent(share)}`);
  canvas.setAttribute("aria-label", told.join(", ") || text("web.js.no_data"));
}
