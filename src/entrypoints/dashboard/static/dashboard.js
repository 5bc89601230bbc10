// What script adds to pages that work without it: keys, dropping a file, and a warning before leaving a form.
(() => {
  "use strict";
  const one = (query, within = document) => within.querySelector(query);
  const all = (query) => [...document.querySelectorAll(query)];
  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

  // --- keys: / search, j k rows, Enter opens, e the row's main act, ? help ---
  let current = -1;
  const rows = () => all("[data-row]");
  const mark = (step) => {
    const found = rows();
    if (!found.length) return;
    const focused = found.findIndex((row) => row.contains(document.activeElement));
    current = Math.max(0, Math.min(found.length - 1, (focused >= 0 ? focused : current) + step));
    found.forEach((row, n) => row.classList.toggle("current", n === current));
    const link = one("a, button", found[current]);
    if (link) link.focus({ preventScroll: true });
    found[current].scrollIntoView({ block: "nearest" });
  };
  const help = () => {
    const dialog = one("#keys");
    if (dialog) dialog.open ? dialog.close() : dialog.showModal();
  };
  const keys = {
    "/": () => { const field = one("[data-search]"); if (field) { field.focus(); field.select(); } },
    j: () => mark(1),
    k: () => mark(-1),
    e: () => { const act = one("[data-act]", rows()[current] || document); if (act) act.click(); },
    "?": help,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
    if (typing(event.target) || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-keys]")) { event.preventDefault(); help(); }
  });

  // --- dropping a file ---
  const drop = one("[data-drop]");
  if (drop) {
    const field = one("input[type=file]", drop);
    const over = (event, on) => { event.preventDefault(); drop.classList.toggle("over", on); };
    drop.addEventListener("dragover", (event) => over(event, true));
    drop.addEventListener("dragleave", (event) => over(event, false));
    drop.addEventListener("drop", (event) => { over(event, false); field.files = event.dataTransfer.files; });
  }

  // --- a form is sent once ---
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    form.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => all("form[data-sent]").forEach((form) => {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }));
})();
