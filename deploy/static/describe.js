// The form without a page load: the same request, and from the page that answers it the same words, told politely.
const form = document.getElementById("ask");
const status = document.getElementById("status");
const result = document.getElementById("result");
const pickers = form.querySelectorAll("input[type=file]");
let busy = false;

function say(node, className) {
  status.className = className;
  status.replaceChildren(node);
}

function words(text) {
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  return paragraph;
}

function show(page) {
  const told = page.getElementById("told");
  const problem = page.querySelector("[role=alert]");
  if (told) {
    const heading = document.createElement("h2");
    heading.append(...told.childNodes);
    say(heading, "told");
    result.replaceChildren(...page.getElementById("rest").childNodes);
  } else if (problem) {
    say(words(problem.textContent.trim()), "problem");
  } else {
    throw new Error("an answer that is not a page of ours");
  }
}

async function ask(button) {
  const body = new FormData(form);
  if (button) body.set(button.name, button.value);
  const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
  show(new DOMParser().parseFromString(await response.text(), "text/html"));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (busy) return;
  busy = true;
  document.getElementById("problem")?.remove();
  result.replaceChildren();
  say(words(form.dataset.describing), "busy");
  try {
    await ask(event.submitter);
  } catch {
    say(words(form.dataset.failed), "problem");
  }
  status.scrollIntoView({ block: "nearest" });
  busy = false;
});

// One photo a question: the picker used last counts.
for (const picker of pickers) {
  picker.addEventListener("change", () => {
    for (const other of pickers) if (other !== picker && picker.value) other.value = "";
  });
}
