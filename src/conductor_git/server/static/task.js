import { fetched, live, replaced } from "./live.js";
import { follow } from "./log.js";
import { offered, replies } from "./reply.js";

const task = document.getElementById("task").dataset.task;
const talk = document.getElementById("talk");
const log = document.getElementById("log");

async function refresh() {
  const [summary, said] = await Promise.all(["summary", "talk"].map((part) => fetched(`/tasks/${task}/${part}`)));
  replaced(document.getElementById("summary"), summary?.body);
  if (replaced(talk, said?.body)) offered(talk);
}

replies(talk);
live(refresh, refresh, task);
if (log) follow(log, task);
