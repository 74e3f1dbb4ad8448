// The picture, and on it the boxes, labels and scores of that very frame.
import { colourOf, emotionName, percent, text } from "./words.js";

const DARK = "#12151a", FEW = 3;
const SANS = getComputedStyle(document.body).fontFamily;

export class Stage {
  constructor(section, canvas, mirror) {
    this.section = section;
    this.canvas = canvas;
    this.mirror = mirror;
    this.image = null;
    this.face = null;
    new ResizeObserver(() => this.draw()).observe(section);
  }

  // Shows a JPEG (Blob) with the faces found in it; `size`: [w, h] px of the frame they are in, `time`:
  // of its capture, Unix s.
  async show(jpeg, face, { size, time }, seq) {
    const image = await createImageBitmap(jpeg);
    this.image?.close();
    [this.image, this.face, this.size] = [image, face, size];
    this.section.parentElement.style.setProperty("--ratio", (image.width / image.height).toFixed(4));
    this.draw();
    this.canvas.dataset.time = time;
    this.canvas.dataset.frame = seq;
    this.describe();
  }

  describe() {
    const faces = this.face?.faces ?? [];
    const names = faces.slice(0, FEW).map((f) => `${emotionName(f.emotion)} ${percent(f.confidence)}`);
    const label = faces.length ? `${text("web.js.faces", { count: faces.length })}: ${names.join(", ")}` : text("web.js.nobody");
    if (this.canvas.getAttribute("aria-label") !== label) this.canvas.setAttribute("aria-label", label);
  }

  draw() {
    if (!this.image) return;
    const { clientWidth: w, clientHeight: h } = this.canvas, dpr = Math.min(window.devicePixelRatio || 1, 2);
    if (this.canvas.width !== Math.round(w * dpr)) this.canvas.width = Math.round(w * dpr);
    if (this.canvas.height !== Math.round(h * dpr)) this.canvas.height = Math.round(h * dpr);
    const pen = this.canvas.getContext("2d");
    pen.setTransform(dpr, 0, 0, dpr, 0, 0);
    pen.clearRect(0, 0, w, h);
    const scale = Math.min(w / this.image.width, h / this.image.height);
    const [pw, ph] = [this.image.width * scale, this.image.height * scale];
    const [left, top] = [(w - pw) / 2, (h - ph) / 2];
    pen.save();
    if (this.mirror) { pen.translate(w, 0); pen.scale(-1, 1); }
    pen.drawImage(this.image, left, top, pw, ph);
    pen.restore();
    pen.textBaseline = "middle";
    const unit = Math.max(11, Math.min(24, pw / 44));
    const place = ([x, y, bw, bh]) => {
      const k = pw / this.size[0], bx = this.mirror ? this.size[0] - x - bw : x;
      return { x: left + bx * k, y: top + y * k, w: bw * k, h: bh * k };
    };
    const faces = this.face?.faces ?? [];
    const boxes = faces.map((face) => place(face.box));
    faces.forEach((face, i) => drawBox(pen, boxes[i], face, unit));
    if (faces.length <= FEW) faces.forEach((face, i) => drawScores(pen, boxes[i], boxes, face, unit, { left, top, w: pw, h: ph }));
    faces.forEach((face, i) => drawChip(pen, boxes[i], face, unit, { left, top, w: pw }));
  }
}

function drawBox(pen, box, face, unit) {
  pen.setLineDash(face.held ? [unit / 2, unit / 3] : []);
  for (const [colour, width] of [[DARK, unit / 3.2], [colourOf(face.emotion), unit / 5]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.roundRect(box.x, box.y, box.w, box.h, Math.min(unit, box.w / 8));
    pen.stroke();
  }
  pen.setLineDash([]);
}

function drawChip(pen, box, face, unit, frame) {
  pen.font = `600 ${unit}px ${SANS}`;
  const label = `${emotionName(face.emotion).slice(0, 40)}  ${percent(face.confidence)}`;
  const w = pen.measureText(label).width + unit, h = unit * 1.65;
  const x = Math.max(frame.left, Math.min(box.x, frame.left + frame.w - w));
  const y = box.y - h - 4 < frame.top ? box.y + 4 : box.y - h - 4;
  pen.fillStyle = colourOf(face.emotion);
  pen.beginPath();
  pen.roundRect(x, y, w, h, unit / 3);
  pen.fill();
  pen.fillStyle = DARK;
  pen.fillText(label, x + unit / 2, y + h / 2 + 1);
}

// A small chart beside the box, where there is room that no other face needs.
function drawScores(pen, box, boxes, face, unit, frame) {
  const entries = Object.entries(face.scores).slice(0, 8);
  const size = unit * 0.82, row = size * 1.5;
  pen.font = `500 ${size}px ${SANS}`;
  const names = Math.max(...entries.map(([label]) => pen.measureText(emotionName(label)).width));
  const w = names + size * 6.2, h = row * entries.length + size * 0.8;
  const y = Math.max(frame.top + 4, Math.min(box.y, frame.top + frame.h - h - 4));
  const x = [box.x + box.w + size / 2, box.x - w - size / 2].find((left) => left >= frame.left + 4
    && left + w <= frame.left + frame.w - 4
    && !boxes.some((b) => b !== box && b.x < left + w && left < b.x + b.w && b.y < y + h && y < b.y + b.h));
  if (x === undefined) return;
  pen.fillStyle = "rgb(18 21 26 / 72%)";
  pen.beginPath();
  pen.roundRect(x, y, w, h, size / 2);
  pen.fill();
  entries.forEach(([label, score], i) => {
    const middle = y + size * 0.4 + row * (i + 0.5), track = x + names + size, length = w - names - size * 1.5;
    pen.fillStyle = label === face.emotion ? "#fff" : "#c3cbd4";
    pen.fillText(emotionName(label), x + size / 2, middle);
    pen.fillStyle = "#3a424c";
    pen.fillRect(track, middle - size / 5, length, size / 2.5);
    pen.fillStyle = colourOf(label);
    pen.fillRect(track, middle - size / 5, length * score, size / 2.5);
  });
}
