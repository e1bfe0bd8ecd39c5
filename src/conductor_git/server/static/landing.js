// A landing takes as long as its gates do. The page says at once that it goes on, and shows what the gates print.
// The form is sent as it would be without scripts: what came of it is the answer. Leaving the page stops nothing.

import { fetched } from "./live.js";

function told(form) {
  const box = document.createElement("section");
  box.className = "panel landing";
  box.setAttribute("role", "status");
  const head = document.createElement("p");
  head.append(Object.assign(document.createElement("strong"), { textContent: form.dataset.lands }), " Its gates decide.");
  const now = document.createElement("div");
  box.append(head, now);
  document.querySelector("main").prepend(box);
  box.scrollIntoView({ block: "nearest" });
  return { box, now };
}

async function look(now) {
  const page = await fetched("/queue/now");
  const running = page?.querySelector("[data-running]");
  now.replaceChildren(...(running ? [...running.querySelectorAll("article")].map((one) => document.adoptNode(one)) : []));
  for (const log of now.querySelectorAll(".log")) log.scrollTop = log.scrollHeight;
}

/** One landing at a time: also of what a look at the server puts on the page meanwhile. */
function occupied() {
  for (const button of document.querySelectorAll("form[data-lands] button")) button.disabled = true;
}

async function send(form) {
  const body = new URLSearchParams(new FormData(form));
  occupied();
  const watch = new MutationObserver(occupied);
  watch.observe(document.body, { childList: true, subtree: true });
  const { box, now } = told(form);
  const timer = setInterval(() => { if (!document.hidden) look(now); }, 1000);
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
    clearInterval(timer);
    watch.disconnect();
    if (answer.redirected) { location.assign(answer.url); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = page.title;
    document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
    document.querySelector("main").focus();
  } catch {
    clearInterval(timer);
    watch.disconnect();
    box.replaceChildren("The server does not answer. What has begun goes on: look at the queue once it is back.");
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-lands]");
  if (!form) return;
  event.preventDefault();
  send(form);
});
