// The health page keeps itself new: what the server says now replaces what it said before.
const PERIOD_MS = 3000;

async function fetched(address, selector) {
  const page = await fetch(address, { headers: { Accept: "text/html" } });
  if (page.redirected) location.reload();  // logged out
  return new DOMParser().parseFromString(await page.text(), "text/html").querySelector(selector);
}

async function refresh() {
  if (document.hidden) return;
  const fresh = await fetched(location.href, "#fresh").catch(() => null);
  const old = document.getElementById("fresh");
  if (fresh && !old.contains(document.activeElement)) old.replaceWith(fresh);
}

document.getElementById("examine").addEventListener("click", async (event) => {
  event.preventDefault();
  const link = event.currentTarget, place = document.getElementById("findings");
  link.setAttribute("aria-busy", "true");
  place.textContent = "…";
  const found = await fetched(link.href, "#found").catch(() => null);
  link.removeAttribute("aria-busy");
  place.replaceChildren(...(found ? [found] : []));
});

setInterval(refresh, PERIOD_MS);
