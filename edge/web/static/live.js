// The live page: what a packet changes, and the record button.
import { set, showBars } from "./bars.js";
import { connect } from "./socket.js";
import { Stage } from "./stage.js";
import { drawRibbon } from "./ribbon.js";
import { colourOf, decimal, emotionName, percent, text } from "./words.js";

const find = (id) => document.getElementById(id);
const main = find("main");
const stage = new Stage(find("stage"), find("picture"), main.dataset.mirror === "1");
const NO_PICTURE_MS = 1500, TRAIL = 24, RIBBON_MS = 5000;
const shown = {};  // everything that packets have told
const trail = [];
let pictured = performance.now(), connection = "waiting";

connect(async (values, picture) => {
  Object.assign(shown, values);
  if (picture) {
    pictured = performance.now();
    await stage.show(picture, shown.face, shown.picture, values.frame_seq);
  }
  if ("emotion" in values || "label" in values) showEmotion();
  if ("audio" in values || "voice_age_s" in values || "no_voice" in values) showVoice();
  if ("recording" in values || "no_voice" in values) showRecording();
  if ("problems" in values) showProblems();
  if ("viewers" in values) showViewers();
  if ("recording_data" in values) find("keeping").hidden = !shown.recording_data;
  showNote();
}, (state) => {
  if (state === connection) return;
  connection = state;
  find("pulse").dataset.state = state;
  find("pulse-text").textContent = text(`web.js.${state === "live" ? "live" : state === "full" ? "full" : "stale"}`);
  showNote();
});

function showEmotion() {
  const { emotion, label } = shown;
  const name = label ? emotionName(label) : "–";
  set(find("word"), name);
  find("word").style.setProperty("--letters", name.length);
  main.style.setProperty("--feel", colourOf(label && label !== "nobody" ? label : "uncertain"));
  const isKnown = emotion && label !== "nobody";
  set(find("source"), isKnown ? sourceOf(emotion) : text("fused.waiting"));
  showBars(find("scores"), isKnown ? emotion.scores : {}, label);
  showCompass(isKnown ? emotion : null);
}

function sourceOf({ confidence, face_age_s: face, voice_age_s: voice }) {
  const from = face !== null && voice !== null ? "both" : voice !== null ? "voice" : "face";
  return text(`fused.from_${from}`, { confidence: percent(confidence) });
}

function showCompass(emotion) {
  if (emotion) trail.push([emotion.valence * 50, -emotion.arousal * 50]);
  if (trail.length > TRAIL || !emotion) trail.shift();
  const [x, y] = trail.at(-1) ?? [0, 0];
  find("mood").setAttribute("cx", x);
  find("mood").setAttribute("cy", y);
  find("trail").setAttribute("points", trail.map((point) => point.map((v) => v.toFixed(1)).join()).join(" "));
  const values = { valence: decimal(x / 50), arousal: decimal(-y / 50) };
  const label = text("web.js.compass", values);
  if (find("compass").getAttribute("aria-label") !== label) find("compass").setAttribute("aria-label", label);
}

function showVoice() {
  const { audio, voice_age_s: age } = shown;
  find("voice").style.setProperty("--colour", colourOf(audio?.emotion ?? "uncertain"));
  if (!audio) {
    set(find("voice"), text(shown.no_voice ? "microphone.off" : age === null ? "voice.none" : "voice.old"));
    set(find("voice-source"), "");
    return;
  }
  set(find("voice"), audio.speech ? emotionName(audio.emotion) : text("voice.silent"));
  const parts = audio.confidence === null ? [] : [percent(audio.confidence)];
  parts.push(text("number.ago", { seconds: age }));
  set(find("voice-source"), parts.join(" · "));
}

function showRecording() {
  const button = find("record");
  if (!button) return;
  const phase = shown.no_voice ? "" : shown.recording?.phase ?? "";
  button.disabled = phase !== "idle";
  button.dataset.phase = phase;
  const texts = { waiting: "microphone.waiting", recording: "microphone.recording", analysing: "microphone.analysing" };
  const label = text(texts[phase] ?? "web.js.record");
  set(find("record-text"), label);
  if (phase in texts) set(find("record-status"), label);
}

function showProblems() {
  find("problems").replaceChildren(...shown.problems.map((problem) => {
    const line = document.createElement("p");
    line.dataset.state = problem.state;
    line.textContent = problem.text;
    return line;
  }));
}

function showViewers() {
  find("viewers").hidden = false;
  set(find("viewers"), shown.viewers === 1 ? text("viewers.one") : text("viewers.many", { count: shown.viewers }));
}

// Over the picture, while that is not what the camera sees now.
function showNote() {
  const isOld = performance.now() - pictured > NO_PICTURE_MS;
  const why = { waiting: "connecting", stale: "lost", full: "full" }[connection];
  set(find("note"), why ? text(`web.js.${why}`) : isOld ? text("web.js.no_camera") : "");
}

find("record")?.addEventListener("click", async () => {
  find("record").disabled = true;
  const answer = await fetch("/record", { method: "POST", headers: { "X-XSRFToken": main.dataset.token } }).catch(() => null);
  if (!answer?.ok) {
    set(find("record-status"), text("web.js.refused"));
    showRecording();
  }
});

async function showRibbon() {
  const until = Date.now() / 1000;
  const answer = await fetch("/history.json?points=300").catch(() => null);
  if (answer?.ok) drawRibbon(find("ribbon"), await answer.json(), until - 600, until);
}

setInterval(showNote, 500);
setInterval(showRibbon, RIBBON_MS);
showRibbon();
