// The keys of the review page; none of them while somebody writes, or together with another key.

export function keys(files, mark, viewed) {
  const help = document.getElementById("help");
  const open = document.getElementById("keys");
  open.hidden = false;
  open.addEventListener("click", () => help.showModal());

  const beyond = (list, step) => {
    const edge = 80;
    const tops = list.map((one) => one.getBoundingClientRect().top - edge);
    const focused = list.findIndex((one) => one === document.activeElement || one.contains(document.activeElement));
    if (focused >= 0) return list[focused + step];
    return step > 0 ? list.find((_, at) => tops[at] > 1) : list.findLast((_, at) => tops[at] < -1);
  };
  const go = (element) => {
    if (!element) return;
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "start" });
  };
  const remarks = () => [...document.querySelectorAll(".changes .remark, .changes .draft textarea")];
  const now = () => files.find((one) => one.contains(document.activeElement)) ?? beyond(files, 1) ?? files.at(-1);
  const acts = {
    j: () => go(beyond(files, 1)),
    k: () => go(beyond(files, -1)),
    n: () => go(beyond(remarks(), 1)),
    p: () => go(beyond(remarks(), -1)),
    v: () => { const file = now(); if (file) mark(file, !viewed.has(file.dataset.mark)); },
    s: () => document.querySelector(".choice a:not([aria-current])")?.click(),
    r: () => document.querySelector("#verdict textarea")?.focus(),
    "?": () => help.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.target.closest("input, textarea, select")) return;
    const act = acts[event.key];
    if (act) { event.preventDefault(); act(); }
  });
}
