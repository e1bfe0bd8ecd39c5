import { fetched, live, replaced } from "./live.js";

async function refresh() {
  const page = await fetched(location.href);
  replaced(document.querySelector("main"), page?.querySelector("main"));
}

live(refresh, refresh);
