// The form without a page load: the same request, and the same words from the page that answers it, announced politely.
const form = document.getElementById("ask");
const status = document.getElementById("status");
const result = document.getElementById("result");
const pickers = form.querySelectorAll("input[type=file]");
const LONGEST_MS = 1000 * Number(form.dataset.longest);
let busy = false;

function announce(className, ...nodes) {
  status.className = className;
  status.replaceChildren(...nodes);
}

function setBusy(now) {
  busy = now;
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", now);
}

function words(text) {
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  return paragraph;
}

function show(page) {
  const description = page.getElementById("description-text");
  const problem = page.querySelector("[role=alert]");
  if (description) {
    const heading = document.createElement("h2");
    heading.append(...description.childNodes);
    announce("answer", heading, ...page.getElementById("told").children);
    result.replaceChildren(...page.getElementById("rest").childNodes);
  } else if (problem) {
    announce("problem", words(problem.textContent.trim()));
  } else {
    throw new Error("an answer that is not a page of ours");
  }
}

async function ask(button) {
  const body = new FormData(form);
  if (button) body.set(button.name, button.value);
  const signal = AbortSignal.timeout(LONGEST_MS);
  const response = await fetch(form.action, { method: "POST", body, signal, headers: { Accept: "text/html" } });
  show(new DOMParser().parseFromString(await response.text(), "text/html"));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (busy) {
    announce("busy", words(form.dataset.waiting));
    return;
  }
  setBusy(true);
  document.getElementById("problem")?.remove();
  result.replaceChildren();
  announce("busy", words(form.dataset.describing));
  try {
    await ask(event.submitter);
  } catch {
    announce("problem", words(form.dataset.failed));
  }
  status.scrollIntoView({ block: "nearest" });
  setBusy(false);
});

// One photo a question: the picker used last counts.
for (const picker of pickers) {
  picker.addEventListener("change", () => {
    for (const other of pickers) if (other !== picker && picker.value) other.value = "";
  });
}
