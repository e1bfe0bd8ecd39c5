import { fetched, live, replaced } from "./live.js";
import { follow } from "./log.js";

const task = document.getElementById("task").dataset.task;
const form = document.getElementById("say");
const log = document.getElementById("log");

async function refresh() {
  const [summary, talk] = await Promise.all(["summary", "talk"].map((part) => fetched(`/tasks/${task}/${part}`)));
  replaced(document.getElementById("summary"), summary?.body);
  if (replaced(document.getElementById("talk"), talk?.body)) show();
}

function show() {
  for (const button of document.querySelectorAll(".answer")) button.hidden = !form;
}

document.getElementById("talk").addEventListener("click", (event) => {
  const button = event.target.closest(".answer");
  if (!button || !form) return;
  const word = button.closest(".word");
  form.elements.parent.value = button.dataset.id;
  const answers = document.getElementById("answers");
  answers.hidden = false;
  answers.textContent = `An answer to: ${word.querySelector(".said").textContent.slice(0, 80)}`;
  form.elements.body.focus();
});

show();
live(refresh, refresh, task);
if (log) follow(log, task);
