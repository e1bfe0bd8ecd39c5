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
  const clear = () => { log.textContent = ""; };
  const note = (text) => { log.append(`\n— ${text} —\n`); };
  const open = () => {
    if (source) return;
    source = new EventSource(`/api/v1/tasks/${task}/log?tail=65536`);
    source.addEventListener("log", add);
    source.addEventListener("reset", clear);
    source.addEventListener("gap", (event) => note(`${JSON.parse(event.data).bytes} bytes left out`));
    source.addEventListener("attempt", (event) => {
      const { number, agent } = JSON.parse(event.data);
      if (begun) note(`attempt ${number}, by ${agent}`);
    });
    source.addEventListener("end", close);
  };
  const close = () => { source?.close(); source = null; };
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else { begun = false; open(); } });
  addEventListener("pagehide", close);
  open();
}
