"use strict";
// The page works without this file. It adds what is live: lists renew themselves when something has changed,
// sentences age, and what somebody is just using stays as it is.

const texts = document.getElementById("texts")?.dataset ?? {};
const toast = document.querySelector(".toast");
let hiding;

function say(text, address) {
  if (!toast || !text) return;
  toast.replaceChildren();
  const shown = address ? Object.assign(document.createElement("a"), { href: address }) : document.createElement("span");
  shown.textContent = text;
  toast.append(shown);
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { toast.hidden = true; }, 9000);
}

// -- what is live ------------------------------------------------------------------------------------
const lists = () => [...document.querySelectorAll("[data-refresh]")];
const inUse = (part) => part.contains(document.activeElement) && part !== document.activeElement
  || part.querySelector("details[open]") !== null;

function renew(old, fresh) {
  // A card in use stays; everything else is as the server says it.
  const known = new Set([...old.querySelectorAll("[id]")].map((part) => part.id));
  for (const part of fresh.querySelectorAll("article[id]")) {
    const before = document.getElementById(part.id);
    if (before && inUse(before) && before.dataset.version === part.dataset.version) part.replaceWith(before);
  }
  const arrived = [...fresh.querySelectorAll("[id^='s-'], [id^='h-']")].filter((part) => !known.has(part.id));
  if (inUse(old) && !old.querySelector("article[id]")) return [];
  old.replaceChildren(...fresh.childNodes);
  return arrived;
}

let asking = null;
let again = false;

async function refresh() {
  if (lists().length === 0) return;
  if (asking) { again = true; return; }
  asking = fetch(location.href, { headers: { "X-Refresh": "1" }, credentials: "same-origin" });
  try {
    const answer = await asking;
    if (new URL(answer.url).pathname === "/sign-in") { location.reload(); return; }
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const count = fresh.getElementById("count");
    if (count) document.getElementById("count")?.replaceWith(count);
    for (const old of lists()) {
      const found = fresh.querySelector(`[data-refresh="${old.dataset.refresh}"]`);
      const arrived = found ? renew(old, found) : [];
      for (const part of arrived) part.classList.add("arrived");
      const first = arrived[0]?.querySelector(".card-say, a");
      if (first) say(`${texts.arrived}: ${first.textContent.trim()}`, `#${arrived[0].id}`);
    }
  } catch {
    say(texts.offline);
  } finally {
    asking = null;
    if (again) { again = false; soon(); }
  }
}

let waiting;
function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(refresh, 60);
}

if (document.body.dataset.live) {
  const stream = new EventSource(document.body.dataset.live);
  for (const kind of ["posted", "changed", "gone", "hand_over", "lists", "resync"]) stream.addEventListener(kind, soon);
  addEventListener("pagehide", () => stream.close());
  setInterval(() => { if (!document.hidden) refresh(); }, 60_000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}

// -- menus -------------------------------------------------------------------------------------------
function closeMenus(except) {
  for (const open of document.querySelectorAll("details.me[open]")) {
    if (!open.contains(except)) open.open = false;
  }
}
document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeMenus(null); });

// -- texts to send -----------------------------------------------------------------------------------
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy);
    text.select(); // where nothing may be written to the clipboard, she copies what is selected
    await navigator.clipboard.writeText(text.value);
    say(texts.copied);
  });
}
