// What the server tells as it happens, and how a part of a page is put in the place of an older one.

/** Calls `heard` with the messages that came, gathered over a moment, for as long as the page is looked at.
 *  `missed` is called where some may have been missed, and everything is to be looked at again. */
export function live(heard, missed, task = "") {
  const sign = document.getElementById("connection");
  let last = document.body.dataset.since || "";
  let source = null, timer = 0, waiting = [];

  const say = (word, title) => { if (sign) { sign.dataset.is = word; sign.title = title; sign.textContent = word === "live" ? "live" : ""; } };
  const flush = () => { timer = 0; const messages = waiting; waiting = []; heard(messages); };
  const take = (event) => {
    if (event.lastEventId) last = event.lastEventId;
    waiting.push(JSON.parse(event.data).message);
    timer ||= setTimeout(flush, 150);
  };
  const open = () => {
    if (source) return;
    const query = new URLSearchParams();
    if (task) query.set("task", task);
    if (last) query.set("since", last);
    source = new EventSource(`/api/v1/events?${query}`);
    source.addEventListener("open", () => say("live", "Changes show by themselves"));
    for (const name of ["task", "message"]) source.addEventListener(name, take);
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) { say("lost", "The server does not answer; trying again"); return; }
      close(); say("lost", "The server does not answer; trying again");
      last = "";
      setTimeout(() => { open(); missed(); }, 3000);
    });
  };
  const close = () => { source?.close(); source = null; };
  // A browser keeps few connections to one server, so a page that nobody looks at gives its own back.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) { open(); missed(); } });
  if (!document.hidden) open();
}

/** The elements that the server answers at `url`, or null where it does not. */
export async function fetched(url, headers = {}) {
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html", ...headers } });
    if (!answer.ok) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch { return null; }
}

/** Puts `fresh` into `old`, unless nothing changed or somebody is writing in there. What was unfolded stays so, and so
 *  does what was written or chosen in a form. */
export function replaced(old, fresh) {
  if (!old || !fresh || old.innerHTML === fresh.innerHTML) return false;
  const active = document.activeElement;
  if (old.contains(active) && active.matches("input, textarea, select")) return false;
  const opened = [...old.querySelectorAll("details")].map((one) => one.open);
  const chosen = [...old.querySelectorAll("form :is(input, select, textarea)[name]")].filter(changed).map((field) => [place(field), field.value]);
  const focus = old.contains(active) ? path(old, active) : null;
  old.replaceChildren(...[...fresh.childNodes].map((node) => document.adoptNode(node)));
  old.querySelectorAll("details").forEach((one, at) => { if (at < opened.length) one.open = opened[at]; });
  for (const [at, value] of chosen) { const field = old.querySelector(at); if (field) field.value = value; }
  if (focus) old.querySelector(focus)?.focus();
  return true;
}

function changed(field) {
  const options = [...(field.options ?? [])];
  const first = options.length ? (options.find((one) => one.defaultSelected) ?? options[0]).value : field.defaultValue;
  return field.value !== first;
}

function place(field) {
  return `form[action="${CSS.escape(field.form.getAttribute("action"))}"] [name="${CSS.escape(field.name)}"]`;
}

function path(root, element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const href = element.getAttribute("href");
  return href ? `[href="${CSS.escape(href)}"]` : null;
}

export function stored(key) {
  try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
}

export function store(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
  } catch { /* full, or not allowed: it is not remembered */ }
}
