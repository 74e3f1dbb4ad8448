// The health page keeps itself new: what the server says now replaces what it said before.
const PERIOD_MS = 3000;

async function fetched(address) {
  const page = await fetch(address, { headers: { Accept: "text/html" } });
  if (page.redirected) location.reload();  // logged out
  return new DOMParser().parseFromString(await page.text(), "text/html");
}

async function refresh() {
  if (document.hidden) return;
  const page = await fetched(location.href).catch(() => null);
  for (const id of ["keeping", "fresh"]) {
    const fresh = page?.getElementById(id), old = document.getElementById(id);
    if (fresh && !old.contains(document.activeElement)) old.replaceWith(fresh);
  }
}

document.getElementById("examine").addEventListener("click", async (event) => {
  event.preventDefault();
  const link = event.currentTarget, place = document.getElementById("findings");
  link.setAttribute("aria-busy", "true");
  place.textContent = "…";
  const found = (await fetched(link.href).catch(() => null))?.getElementById("found");
  link.removeAttribute("aria-busy");
  place.replaceChildren(...(found ? [found] : []));
});

setInterval(refresh, PERIOD_MS);
