import { fetched, live, replaced } from "./live.js";

const now = document.getElementById("now");

async function refresh() {
  const page = await fetched("/queue/now");
  if (!page) return;
  replaced(now, page.body);
  for (const log of now.querySelectorAll(".log")) log.scrollTop = log.scrollHeight;
}

live(refresh, refresh);
// That a landing begins and what its gate prints is told by nobody: it is looked at, more often while one runs.
let looked = 0;
setInterval(() => {
  looked += 1;
  if (!document.hidden && (looked % 3 === 0 || now.querySelector("[data-running]"))) refresh();
}, 1500);
