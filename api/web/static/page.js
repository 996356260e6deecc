"use strict";
// The page works without this file. It adds what is live, and keeps a menu from staying open.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.me[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const open of document.querySelectorAll("details.me[open]")) open.open = false;
});
