import { fetched, live, replaced } from "./live.js";
import { offered, replies } from "./reply.js";

const messages = document.getElementById("messages");

async function refresh() {
  const known = new Set([...messages.querySelectorAll(".word")].map((one) => one.id));
  const page = await fetched(location.href, { "X-Part": "messages" });
  if (!page || !replaced(messages, page.body)) return;
  offered(messages);
  for (const one of messages.querySelectorAll(".word")) one.classList.toggle("fresh", !known.has(one.id));
}

replies(messages);
live(refresh, refresh);
