// The history page: which span is shown, and what is written beside the chart.
import { set, showBars } from "./bars.js";
import { Chart } from "./chart.js";
import { shares } from "./ribbon.js";
import { emotionName, percent, text } from "./words.js";

const find = (id) => document.getElementById(id);
const MIN_S = 10, MAX_S = 8 * 86400, POINTS = 600, PERIOD_MS = 5000, MAX_EVENTS = 200;
const LANGUAGE = document.documentElement.lang;
let span = 600, end = null;  // end: Unix s; null = now
let asked = 0;

const chart = new Chart(find("chart"), (since, until) => {
  const now = Date.now() / 1000;
  span = until ? Math.min(MAX_S, Math.max(MIN_S, until - since)) : 600;
  end = !until || until >= now ? null : until;
  load();
});

async function load() {
  const until = end ?? Date.now() / 1000, since = until - span, number = ++asked;
  find("reset").hidden = end === null;
  for (const button of document.querySelectorAll("[data-span]")) {
    button.setAttribute("aria-pressed", String(end === null && Number(button.dataset.span) === span));
  }
  const query = `since=${since.toFixed(3)}&until=${until.toFixed(3)}&points=${POINTS}`;
  find("csv").href = `/history.csv?${query}`;
  find("figure").setAttribute("aria-busy", "true");
  const answer = await fetch(`/history.json?${query}`).catch(() => null);
  if (number === asked) find("figure").setAttribute("aria-busy", "false");
  if (answer?.status === 401) location.reload();
  if (!answer?.ok || number !== asked) return;
  const history = await answer.json();
  chart.show(history, since, until);
  describe(history, since, until);
}

function describe(history, since, until) {
  const parts = shares(history), top = Object.keys(parts)[0];
  const isEmpty = !top && !history.voice.length;
  const why = history.error === "no recorder" ? text("web.js.no_recorder") : history.error;
  set(find("note"), why || (isEmpty ? text("web.js.no_data") : ""));
  showBars(find("shares"), parts, top);
  const range = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
  set(find("reading"), range.formatRange(new Date(since * 1000), new Date(until * 1000)));
  const all = events(history);
  find("events").replaceChildren(...all.slice(0, MAX_EVENTS).map((event) => line(event, until - since)));
  set(find("newest"), all.length > MAX_EVENTS ? text("web.js.newest", { count: MAX_EVENTS }) : "");
}

// The newest first.
function events({ voice, changes, marks }) {
  return [
    ...voice.map(([t, emotion, confidence]) => [t, text("web.js.voice_event", { emotion: emotionName(emotion), confidence: percent(confidence) })]),
    ...changes.map(([t, previous, emotion]) => [t, text("web.js.change_event", { previous: emotionName(previous), emotion: emotionName(emotion) })]),
    ...marks.map(([t, mark]) => [t, text("web.js.mark_event", { text: mark })]),
  ].sort((a, b) => b[0] - a[0]);
}

// In a span of more than a day a time alone would be ambiguous.
function line([t, what], span) {
  const item = document.createElement("li"), time = document.createElement("time"), date = new Date(t * 1000);
  time.dateTime = date.toISOString();
  time.textContent = date.toLocaleString(LANGUAGE, { timeStyle: "medium", hourCycle: "h23", ...(span > 86400 && { dateStyle: "medium" }) });
  const words = document.createElement("span");
  words.textContent = what;
  item.append(time, words);
  return item;
}

for (const button of document.querySelectorAll("[data-span]")) {
  button.addEventListener("click", () => { [span, end] = [Number(button.dataset.span), null]; load(); });
}
find("reset").addEventListener("click", () => { end = null; load(); });
setInterval(() => { if (end === null && span <= 3600 && !document.hidden) load(); }, PERIOD_MS);
load();
