// Texts in the page's language, and numbers as it writes them.
const words = JSON.parse(document.getElementById("words").textContent);

export function text(key, values = {}) {
  return (words[key] ?? key).replace(/{(\w+)}/g, (_, name) => values[name] ?? "");
}

export const emotionName = (label) => words[`emotion.${label}`] ?? label;

export const percent = (fraction) => text("number.percent", { value: Math.round(100 * fraction) });

export const decimal = (value, digits = 1) =>
  value.toFixed(digits).replace(".", text("number.decimal")).replace("-", "−");

const styles = getComputedStyle(document.documentElement);

// The emotion's colour; grey for `uncertain` and for anything unknown.
export function colourOf(label) {
  const known = /^[a-z]+$/.test(label) ? styles.getPropertyValue(`--${label}`).trim() : "";
  const alias = known.match(/^var\((--[a-z]+)\)$/);
  return (alias ? styles.getPropertyValue(alias[1]).trim() : known) || styles.getPropertyValue("--uncertain").trim();
}
