// The last minutes as a band of colours: at each moment that of the strongest emotion.
import { colourOf, emotionName, percent, text } from "./words.js";

export function strongest(history, i) {
  let best = null;
  for (const [label, scores] of Object.entries(history.emotion)) {
    if (scores[i] !== null && (best === null || scores[i] > best[1])) best = [label, scores[i]];
  }
  return best;
}

export function drawRibbon(canvas, history, since, until) {
  const dpr = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  [canvas.width, canvas.height] = [Math.round(w * dpr), Math.round(h * dpr)];
  const pen = canvas.getContext("2d"), seen = new Map();
  pen.scale(dpr, dpr);
  history.t.forEach((t, i) => {
    const best = strongest(history, i);
    if (!best) return;
    seen.set(best[0], (seen.get(best[0]) ?? 0) + 1);
    pen.globalAlpha = 0.35 + 0.65 * best[1];
    pen.fillStyle = colourOf(best[0]);
    pen.fillRect(((t - since) / (until - since)) * w, 0, (history.step_s / (until - since)) * w + 0.6, h);
  });
  pen.globalAlpha = 1;
  for (const [t, emotion] of history.voice) {
    const x = Math.min(w - 7, ((t - since) / (until - since)) * w);
    for (const [colour, radius] of [["#12151a", 6.5], [colourOf(emotion), 4]]) {
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(x, h / 2, radius, 0, 7);
      pen.fill();
    }
  }
  const total = Math.max(1, history.t.length);
  const shares = [...seen].sort((a, b) => b[1] - a[1]).map(([label, n]) => `${emotionName(label)} ${percent(n / total)}`);
  canvas.setAttribute("aria-label", shares.join(", ") || text("web.js.no_data"));
}
