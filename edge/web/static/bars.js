// A list of labels with a bar and a percentage each.
import { percent } from "./words.js";

export function set(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

// scores: {label: 0 to 1}; top: the label that stands out.
export function showBars(list, scores, top) {
  for (const item of list.children) {
    const score = scores[item.dataset.label];
    item.style.setProperty("--share", score ?? 0);
    set(item.querySelector("output"), score === undefined ? "" : percent(score));
    item.toggleAttribute("data-top", item.dataset.label === top);
  }
}
