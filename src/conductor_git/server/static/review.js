import { drafts } from "./drafts.js";
import { keys } from "./keys.js";
import { fetched, live, replaced, store, stored } from "./live.js";

const review = document.getElementById("review");
const { task, head, view } = review.dataset;
const files = [...document.querySelectorAll(".file")];
const links = new Map([...document.querySelectorAll(".files a")].map((link) => [link.dataset.mark, link]));

// --- how it is shown: as one chose last

for (const link of document.querySelectorAll(".choice a"))
  link.addEventListener("click", () => store("view", link.dataset.view));
if (!new URLSearchParams(location.search).has("view") && stored("view") === "split" && view !== "split" && innerWidth > 800)
  location.replace(`?view=split${location.hash}`);

// --- viewed: a mark is of a change, so a file that changes is to be viewed again

const key = `viewed:${task}`;
const viewed = new Set(stored(key) ?? []);

function show(file) {
  const is = viewed.has(file.dataset.mark);
  file.classList.toggle("is-viewed", is);
  file.querySelector(".viewed input").checked = is;
  links.get(file.dataset.mark)?.classList.toggle("is-viewed", is);
  document.getElementById("progress").textContent =
    `${files.filter((one) => viewed.has(one.dataset.mark)).length} of ${files.length} viewed`;
}

function mark(file, is) {
  if (is) viewed.add(file.dataset.mark); else viewed.delete(file.dataset.mark);
  store(key, [...viewed].slice(-2000));
  show(file);
}

for (const file of files) {
  const label = file.querySelector(".viewed");
  label.hidden = false;
  label.firstElementChild.addEventListener("change", (event) => mark(file, event.target.checked));
  show(file);
}

// --- folded context

for (const button of document.querySelectorAll(".unfold")) {
  button.hidden = false;
  button.addEventListener("click", () => unfold(button));
}

async function unfold(button) {
  const { path, old, new: fresh, count } = button.dataset;
  button.disabled = true;
  const query = new URLSearchParams({ head, path, old, new: fresh, count, view });
  const answer = await fetch(`/tasks/${task}/review/lines?${query}`);
  if (!answer.ok) { button.disabled = false; return; }
  const rows = document.createElement("template");
  rows.innerHTML = `<table><tbody>${await answer.text()}</tbody></table>`;
  button.closest("tr").replaceWith(...rows.content.querySelectorAll("tr"));
}

// --- a commit that arrives while one reads

async function standing() {
  const page = await fetched(`/tasks/${task}/review/standing?read=${head}`);
  replaced(document.getElementById("standing"), page?.body);
}

live((messages) => { if (messages.some((one) => one.type !== "PROGRESS")) standing(); }, standing, task);
// A commit that was not handed in is told by nobody.
setInterval(() => { if (!document.hidden) standing(); }, 10000);
if (review.dataset.open === "yes") drafts(task, head, view);
keys(files, mark, viewed);
