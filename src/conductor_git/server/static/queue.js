import { fetched, live, replaced } from "./live.js";

const now = document.getElementById("now");

async function refresh() {
  const page = await fetched("/queue/now");
  if (!page) return;
  replaced(now, page.body);
  for (const log of now.querySelectorAll(".log")) log.scrollTop = log.scrollHeight;
}

live(refresh, refresh);
// What a gate prints is told by nobody; it is looked at while one runs.
setInterval(() => { if (!document.hidden && now.querySelector("[data-running]")) refresh(); }, 1500);
