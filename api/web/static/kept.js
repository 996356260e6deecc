"use strict";
// Answers given without a connection: kept in this browser under the user's id, and sent once when it is back.
// Each has a key of its own, so that one that was sent twice acts once.

const who = document.body.dataset.user;
const place = `kept:${who}`;
const kept = () => JSON.parse(localStorage.getItem(place) ?? "[]");
const keep = (answers) => localStorage.setItem(place, JSON.stringify(answers));
const VERB = /^\/suggestions\/([^/]+)\/(accept|dismiss|snooze|complete)$/;

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
  return { id, body, key: crypto.randomUUID() };
}

function morning(days) {
  const day = new Date();
  day.setDate(day.getDate() + days);
  day.setHours(5, 0, 0, 0);
  return day.toISOString();
}

document.addEventListener("submit", (event) => {
  if (navigator.onLine || event.defaultPrevented) return;
  event.preventDefault();
  const answer = answerOf(event.target, event.submitter);
  if (!answer) { say(texts.offline); return; }
  keep([...kept(), answer]);
  say(texts.kept);
  document.getElementById(`s-${answer.id}`)?.classList.add("waits");
});

let sending = false;
async function send() {
  if (sending || !navigator.onLine) return;
  sending = true;
  let sent = 0, refused = 0;
  try {
    for (const answer of kept()) {
      const reply = await fetch(`/v1/suggestions/${answer.id}/feedback`, {
        method: "POST", body: JSON.stringify(answer.body), credentials: "same-origin",
        headers: { "Content-Type": "application/json", "Idempotency-Key": answer.key,
                   "X-CSRF-Token": document.querySelector("meta[name=csrf]").content },
      });
      // Not ours to decide: the service is out of order, or she has to sign in again.
      if (reply.status >= 500 || reply.status === 401) break;
      keep(kept().filter((one) => one.key !== answer.key));
      if (reply.ok) sent += 1; else refused += 1;
    }
  } catch { /* Still no connection: it stays kept. */ }
  sending = false;
  if (refused) say(texts.refused); else if (sent) say(texts.sent);
  if (sent || refused) soon();
}
addEventListener("online", send);
if (who) send();
