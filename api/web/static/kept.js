"use strict";
// Without a connection: the page says how old it is, and answers are kept in this browser under the user's id
// (IndexedDB, so they outlive a browser that is killed) and sent once when the connection is back.
// Each answer has a key of its own, so that one that was sent twice acts once.

const who = document.body.dataset.user;
const keptAt = Number(document.body.dataset.keptAt ?? 0);
const VERB = /^\/suggestions\/([^/]+)\/(accept|dismiss|snooze|complete)$/;

// -- pages to open without a connection ----------------------------------------------------------------
async function keepPages() {
  const ready = await navigator.serviceWorker.ready;
  const links = document.querySelectorAll(".card-say a, .task .card-head a");
  const pages = ["/day", location.pathname, ...[...links].map((link) => new URL(link.href).pathname)];
  const files = [...document.querySelectorAll("script[src], link[href]")].map((file) => file.src || file.href);
  ready.active.postMessage({ pages: [...new Set(pages)].filter((path) => path !== "/"), files });
}

if (who && "serviceWorker" in navigator) {
  navigator.serviceWorker.register("/sw.js").then(() => { if (!keptAt) keepPages(); }).catch(() => {});
}

const digits = { persian: "arabext", "arabic-indic": "arab" }[document.documentElement.dataset.digits] ?? "latn";
const language = `${document.documentElement.lang}-u-nu-${digits}`;

function sayAge() {
  const minutes = Math.round((keptAt - Date.now()) / 60_000);
  const near = minutes > -60 ? [minutes, "minute"] : minutes > -1440 ? [Math.round(minutes / 60), "hour"]
    : [Math.round(minutes / 1440), "day"];
  const ago = new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(...near);
  document.getElementById("age").textContent = texts.age.replace("{ago}", ago);
}

if (keptAt) {
  document.getElementById("age").hidden = false;
  sayAge();
  setInterval(sayAge, 60_000);
  setInterval(comeBack, 15_000);
}

async function comeBack() {
  const alive = await fetch("/v1/health").then((answer) => answer.ok, () => false);
  if (alive) location.reload();
}

// -- answers that are kept -----------------------------------------------------------------------------
let opened;
function database() {
  opened ??= new Promise((resolve, reject) => {
    const opening = indexedDB.open("nextbest", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("answers", { keyPath: "key" });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
  return opened;
}

// What `act` asks of the stored answers, once it is on the disk.
async function stored(mode, act) {
  const transaction = (await database()).transaction("answers", mode, { durability: "strict" });
  const request = act(transaction.objectStore("answers"));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

const keep = (answer) => stored("readwrite", (answers) => answers.put(answer));
const drop = (answer) => stored("readwrite", (answers) => answers.delete(answer.key));
async function kept() {
  const answers = await stored("readonly", (all) => all.getAll());
  return answers.filter((answer) => answer.who === who).sort((one, other) => one.at - other.at);
}

function answerOf(form, button) {
  const found = VERB.exec(new URL(form.action).pathname);
  const fields = new FormData(form, button);
  // What asks a colleague for something is more than one answer; it waits for a connection.
  if (!found || fields.get("to_role")) return null;
  const [, id, verb] = found;
  const body = { verb };
  if (verb === "dismiss") body.reason = fields.get("reason");
  if (verb === "snooze") body.until = morning(Number(fields.get("days")));
  if (verb === "accept" && fields.get("on")) body.at = new Date(`${fields.get("on")}T09:00`).toISOString();
  if (verb === "complete") {
    if (fields.get("result")) body.result = fields.get("result");
    if (fields.get("note")?.trim()) body.note = fields.get("note").trim();
    body.preferences = fields.getAll("stop").map((channel) => ({ channel, purpose: "marketing", status: "opt_out" }));
    body.questions = fields.getAll("asked").map((topic) => ({ topic }));
    body.objections = fields.getAll("objection").map((kind) => ({ kind }));
    const names = [...fields.getAll("competitor"), fields.get("other_competitor")?.trim()].filter(Boolean);
    body.competitors = [...new Set(names)].map((name) => ({ name }));
    body.at = new Date().toISOString();
  }
  const name = (form.closest("article") ?? document).querySelector("h3, .eyebrow a")?.textContent.trim() ?? "";
  return { id, body, name, who, key: crypto.randomUUID(), at: Date.now() };
}

function morning(days) {
  const day = new Date();
  day.setDate(day.getDate() + days);
  day.setHours(5, 0, 0, 0);
  return day.toISOString();
}

function mark(answer) {
  document.getElementById(`s-${answer.id}`)?.classList.add("waits");
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (new URL(form.action).pathname === "/sign-out") { event.preventDefault(); leave(form); return; }
  if (navigator.onLine && !keptAt) return;
  event.preventDefault();
  const answer = answerOf(form, event.submitter);
  if (!answer) { say(texts.offline); return; }
  keep(answer).then(() => { say(texts.kept); mark(answer); }, () => say(texts.lost));
});

// The page may be older than the session, and somebody else may have signed in meanwhile.
async function token() {
  const answer = await fetch("/day", { headers: { "X-Refresh": "1" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  return fresh.body.dataset.user === who ? fresh.querySelector("meta[name=csrf]").content : "";
}

async function send() {
  const waiting = await kept();
  waiting.forEach(mark);
  if (!waiting.length || !navigator.onLine) return;
  let sent = 0;
  const refused = [];
  try {
    const csrf = await token();
    for (const answer of csrf ? waiting : []) {
      const reply = await fetch(`/v1/suggestions/${encodeURIComponent(answer.id)}/feedback`, {
        method: "POST", body: JSON.stringify(answer.body), credentials: "same-origin",
        headers: { "Content-Type": "application/json", "Idempotency-Key": answer.key, "X-CSRF-Token": csrf },
      });
      // Not ours to decide: the service is out of order or busy, or she has to sign in again.
      if (reply.status >= 500 || reply.status === 401 || reply.status === 429) break;
      await drop(answer);
      if (reply.ok) sent += 1; else refused.push(answer.name);
    }
  } catch { /* Still no connection: it stays kept. */ }
  if (refused.length) say(texts.refused.replace("{names}", refused.join(" · "))); else if (sent) say(texts.sent);
  if (sent || refused.length) soon();
}

// One tab at a time; what another one is sending is not sent twice.
const sendOnce = () => navigator.locks.request("send", { ifAvailable: true }, (lock) => lock ? send() : null);
addEventListener("online", () => { sendOnce().then(() => { if (keptAt) comeBack(); }); });
if (who) sendOnce();

// -- signing out ---------------------------------------------------------------------------------------
// What waits is sent first; what cannot be sent is told, and nothing of hers stays behind in this browser.
async function leave(form) {
  const connected = navigator.onLine && !keptAt;
  if (connected) await navigator.locks.request("send", send); // after whatever is sending just now
  const waiting = await kept().catch(() => []);
  const unsent = texts[`unsent${capital(new Intl.PluralRules(language).select(waiting.length))}`]
    .replace("{n}", new Intl.NumberFormat(language).format(waiting.length));
  if (!connected) {
    await caches.delete(`pages:${who}`);
    say([waiting.length ? unsent : "", texts.stay].join(" "));
    return;
  }
  if (waiting.length && !await sure(unsent)) return;
  await Promise.all(waiting.map(drop));
  await caches.delete(`pages:${who}`);
  form.submit();
}

const capital = (word) => word[0].toUpperCase() + word.slice(1);

function sure(unsent) {
  const dialog = document.getElementById("leaving");
  document.getElementById("unsent").textContent = unsent;
  dialog.returnValue = "stay";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "go"), { once: true });
  });
}
