import { fetched, live, replaced } from "./live.js";

const board = document.getElementById("board");
const news = document.getElementById("news");

async function refresh(task) {
  const page = await fetched(`/tasks/${encodeURIComponent(task)}/card`);
  const fresh = page?.querySelector(".card");
  if (!fresh) return;
  document.adoptNode(fresh);
  const old = document.getElementById(fresh.id);
  if (old && old.dataset.column === fresh.dataset.column) {
    if (replaced(old, fresh)) { old.className = fresh.className; flash(old); }
  } else {
    const had = old?.contains(document.activeElement);
    old?.remove();
    board.querySelector(`[data-column="${fresh.dataset.column}"] .cards`)?.prepend(fresh);
    flash(fresh);
    if (had) fresh.querySelector("a")?.focus();
    const column = fresh.closest(".column")?.querySelector("h2")?.firstElementChild?.nextSibling?.textContent.trim();
    news.textContent = `${task} is ${column ?? "new"}`;
  }
  count();
}

function flash(card) {
  card.classList.remove("fresh");
  requestAnimationFrame(() => card.classList.add("fresh"));
}

function count() {
  document.getElementById("nothing")?.remove();
  for (const column of board.querySelectorAll(".column"))
    column.querySelector(".count").textContent = column.querySelectorAll(".card").length;
}

async function all() {
  const page = await fetched("/");
  if (!board.contains(document.activeElement)) replaced(board, page?.getElementById("board"));
}

live((messages) => {
  for (const task of new Set(messages.map((message) => message.task_id).filter(Boolean))) refresh(task);
}, all);
// Commits and collisions are told by nobody; they are looked at now and then.
setInterval(() => { if (!document.hidden) all(); }, 30000);
