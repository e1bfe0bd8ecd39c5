// A message that answers another one: the button beside it fills in the form below.

const form = document.getElementById("say");

export function replies(within) {
  within.addEventListener("click", (event) => {
    const button = event.target.closest(".answer");
    if (!button || !form) return;
    form.elements.parent.value = button.dataset.id;
    if (form.elements.task) form.elements.task.value = button.dataset.task;
    const answers = document.getElementById("answers");
    answers.hidden = false;
    answers.textContent = `An answer to: ${button.closest(".word").querySelector(".said").textContent.slice(0, 80)}`;
    form.elements.body.focus();
  });
  offered(within);
}

/** Without scripts there are no such buttons. */
export function offered(within) {
  for (const button of within.querySelectorAll(".answer")) button.hidden = !form;
}
