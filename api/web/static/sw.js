"use strict";
// Opens the page without a connection: the files of the page, and the pages that somebody who has signed in has seen
// or has on her list. Pages are kept for one user only and go when she signs out, or has to sign in again.

const SHELL = "shell";
const PAGES = "pages:"; // and the user's id
const KEPT = /^\/(day|suggestions\/[^/]+|accounts\/[^/]+|hand-overs\/[^/]+)$/;
const MOST_PAGES = 60;
const FRESH_MS = 10 * 60_000;
const LONGEST_MS = 24 * 3_600_000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.method !== "GET") {
    if (url.pathname === "/sign-out") event.respondWith(signedOut(request));
  } else if (url.pathname.startsWith("/static/")) event.respondWith(fileOf(request));
  else if (request.mode === "navigate") event.respondWith(pageOf(request, url));
  else if (request.headers.has("X-Refresh")) event.respondWith(fetched(url, request));
});

// A page tells what is on it: those pages are kept before anybody opens them.
// Without a connection there is nothing to keep, which is no fault.
self.addEventListener("message", (event) =>
  event.waitUntil(keepAll(event.data.pages, event.data.files).catch(() => {})));

async function fileOf(request) {
  const shell = await caches.open(SHELL);
  const kept = await shell.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await putFile(shell, request.url, answer.clone());
  return answer;
}

async function putFile(shell, address, answer) {
  const { pathname } = new URL(address, location.origin);
  await shell.delete(pathname, { ignoreSearch: true }); // an earlier version of the same file
  await shell.put(address, answer);
}

async function pageOf(request, url) {
  try {
    return await fetched(url, request);
  } catch (error) {
    const kept = await keptPage(url.pathname);
    if (kept) return kept;
    if (url.pathname !== "/day" && await keptPage("/day")) return Response.redirect("/day");
    throw error;
  }
}

async function keptPage(path) {
  for (const name of await pageCaches()) {
    const kept = await (await caches.open(name)).match(path);
    if (kept && ageOf(kept) < LONGEST_MS) return kept;
  }
}

const pageCaches = async () => (await caches.keys()).filter((name) => name.startsWith(PAGES));

async function forgetPages(butOf) {
  for (const name of await pageCaches()) if (name !== butOf) await caches.delete(name);
}

const ageOf = (kept) => Date.now() - Number(kept.headers.get("X-Kept-At"));

// What was asked for before she has signed out is not kept any more, whenever it comes.
let left = 0;
async function signedOut(request) {
  try {
    return await fetch(request);
  } finally {
    left += 1;
    await forgetPages();
  }
}

async function fetched(url, request) {
  const before = left;
  const answer = await fetch(request);
  await keep(url, answer);
  if (left !== before) await forgetPages();
  return answer;
}

async function keep(url, answer) {
  if (url.pathname === "/sign-in" || new URL(answer.url || url).pathname === "/sign-in") {
    await forgetPages();
  } else if (answer.ok && !answer.redirected && KEPT.test(url.pathname)) {
    const text = await answer.clone().text();
    const own = PAGES + (/<body [^>]*data-user="([^"]*)"/.exec(text)?.[1] ?? "");
    await forgetPages(own);
    const pages = await caches.open(own);
    await pages.put(url.pathname, withoutSecrets(text, answer.headers));
    const known = await pages.keys();
    for (const old of known.slice(0, Math.max(0, known.length - MOST_PAGES))) await pages.delete(old);
  }
}

// The session's token stays out of it, and so does what was told once; when it was kept stands in it.
function withoutSecrets(text, headers) {
  const token = /<meta name="csrf" content="([^"]+)">/.exec(text)?.[1];
  const kept = (token ? text.replaceAll(token, "") : text)
    .replace(/<div class="told[\s\S]*?<\/div>/, "")
    .replace("<body", `<body data-kept-at="${Date.now()}"`);
  return new Response(kept, { headers: { "Content-Type": "text/html; charset=utf-8", "X-Kept-At": `${Date.now()}`,
    "Content-Security-Policy": headers.get("Content-Security-Policy") } });
}

async function keepAll(addresses, files) {
  const shell = await caches.open(SHELL);
  for (const file of files) {
    if (!await shell.match(file)) await putFile(shell, file, await fetch(file));
  }
  for (const address of addresses.filter((each) => KEPT.test(each))) {
    const before = await keptPage(address);
    if (before && ageOf(before) < FRESH_MS) continue;
    await fetched(new URL(address, location.origin), new Request(address, { headers: { "X-Refresh": "1" } }));
  }
}
