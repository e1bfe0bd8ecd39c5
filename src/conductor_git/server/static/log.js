// The log of the last attempt, as it is written.

export function follow(log, task) {
  let source = null, begun = false;
  const near = () => log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
  log.scrollTop = log.scrollHeight;

  const add = (event) => {
    const { text, data } = JSON.parse(event.data);
    if (!begun) { begun = true; log.textContent = ""; }
    const stay = near();
    log.append(text ?? data ?? "");
    while (log.childNodes.length > 5000) log.firstChild.remove();
    if (stay) log.scrollTop = log.scrollHeight;
  };
  const open = () => {
    if (source) return;
    source = new EventSource(`/api/v1/tasks/${task}/log`);
    source.addEventListener("log", add);
    source.addEventListener("end", close);
  };
  const close = () => { source?.close(); source = null; };
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else { begun = false; open(); } });
  addEventListener("pagehide", close);
  open();
}
