// Line comments that are being written: kept in the browser until the verdict takes them along.

import { store, stored } from "./live.js";

export function drafts(task, head, view) {
  const form = document.getElementById("verdict");
  const beside = document.getElementById("beside");  // comments on lines that are not shown
  const key = `drafts:${task}:${head}`;
  const all = () => [...document.querySelectorAll(".draft")];

  const keep = () => {
    const kept = all().map((one) => ({ at: one.querySelector("input").value, text: one.querySelector("textarea").value }));
    store(key, kept.some((one) => one.text) ? kept : null);
    const count = kept.filter((one) => one.text.trim()).length;
    document.getElementById("drafts").textContent = count
      ? `${count} line comment${count === 1 ? "" : "s"} will be sent together with the verdict.`
      : "Line comments are sent together with the verdict.";
  };

  const add = (button, text = "") => {
    const row = button.closest("tr");
    const place = button.value;
    const there = all().find((one) => one.querySelector("input").value === place);
    if (there && !beside.contains(there)) return there;
    const draft = there ?? made(place, text);
    const talk = row.nextElementSibling?.matches(".talk") ? row.nextElementSibling : row.after(below(view)) ?? row.nextElementSibling;
    talk.firstElementChild.append(draft);
    return draft;
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.add");
    if (!button) return;
    event.preventDefault();
    add(button).querySelector("textarea").focus();
  });
  document.addEventListener("click", (event) => {
    const draft = event.target.closest(".discard")?.closest(".draft");
    if (!draft) return;
    const row = draft.closest("tr");
    draft.remove();
    if (row && !row.firstElementChild.childElementCount) row.remove();
    keep();
  });
  document.addEventListener("input", (event) => { if (event.target.closest(".draft")) keep(); });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && event.target.closest(".draft")) form.elements.body.focus();
  });
  form.addEventListener("submit", () => store(key, null));

  for (const button of document.querySelectorAll(".discard")) button.hidden = false;
  for (const { at, text } of stored(key) ?? []) {
    const button = [...document.querySelectorAll("button.add")].find((one) => one.value === at);
    if (button) add(button, text);
    else if (!all().some((one) => one.querySelector("input").value === at)) beside.append(made(at, text));
  }
  keep();
}

function below(view) {
  const row = document.createElement("tr");
  row.className = "talk";
  const cell = row.insertCell();
  cell.colSpan = view === "split" ? 4 : 3;
  return row;
}

function made(place, text) {
  const [side, line, ...rest] = place.split(":");
  const draft = document.createElement("div");
  draft.className = "draft";
  const label = document.createElement("label");
  label.append(`Comment on ${rest.join(":")}, line ${line}${side === "old" ? " before the change" : ""}`);
  const area = Object.assign(document.createElement("textarea"), { name: "text", rows: 3, value: text });
  area.setAttribute("form", "verdict");
  label.append(area);
  const at = Object.assign(document.createElement("input"), { type: "hidden", name: "at", value: place });
  at.setAttribute("form", "verdict");
  const discard = Object.assign(document.createElement("button"), { type: "button", className: "discard quiet", textContent: "Discard" });
  draft.append(label, at, discard);
  return draft;
}
