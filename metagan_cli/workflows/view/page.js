"use strict";

const find = (id) => document.getElementById(id);
const list = find("choices");
const all = [...list.querySelectorAll("button")];
const examples = [...document.querySelectorAll("#examples li")];
const text = find("command");
const picked = () => all.filter((button) => button.getAttribute("aria-pressed") === "true");
const seen = () => [...list.querySelectorAll("button")].filter((button) => !button.parentElement.hidden);
let current = all[0];

// --- which are seen, and in what order ---

function arrange() {
  const by = find("sort").value;
  const downwards = by === "place" ? 1 : -1;
  const value = (button) => Number(button.dataset[by] ?? -Infinity);
  const order = [...all].sort((a, b) => downwards * (value(a) - value(b)) || a.dataset.place - b.dataset.place);
  const group = find("group")?.value;
  for (const button of order) {
    button.parentElement.hidden =
      Boolean(find("hide")?.checked && "copied" in button.dataset) || Boolean(group && button.dataset.group !== group);
  }
  list.append(...order.map((button) => button.parentElement));
  const shown = seen();
  if (current.parentElement.hidden && shown.length) look(shown[0]);
  find("seen").textContent = shown.length === all.length ? `${all.length} shown` : `${shown.length} of ${all.length} shown`;
  count();
}

// --- the one that is looked at, and its nearest example ---

function show(place, image) {
  [place.src, place.alt, place.className] = [image.src, image.alt, image.className];
}

function look(button) {
  const { distance, nearest, quality } = button.dataset;
  const image = button.querySelector("img");
  const example = examples[nearest]?.querySelector("img");
  const facts = [];
  current.tabIndex = -1;
  current = button;
  current.tabIndex = 0;
  examples.forEach((item, number) => item.classList.toggle("is-near", String(number) === nearest));
  show(find("this"), image);
  if (find("near")) find("near").parentElement.hidden = !example;
  if (example) show(find("near"), example);
  if (distance !== undefined) facts.push(`${Number(distance).toFixed(3)} from ${example?.alt ?? "the nearest example"}`);
  if ("copied" in button.dataset) facts.push("a copy");
  if (quality !== undefined) facts.push(`quality ${Number(quality).toFixed(2)}`);
  find("said").textContent = `${image.alt}: ${facts.join(", ") || "no example is known"}`;
}

for (const kind of ["mouseover", "focusin", "click"]) {
  list.addEventListener(kind, (event) => {
    const button = event.target.closest("button");
    if (button) look(button);
  });
}

// --- picking ---

function count() {
  const some = picked();
  const hidden = some.filter((button) => button.parentElement.hidden).length;
  const names = some.map((button) => button.dataset.name);
  const { before, between, after } = text.dataset;
  find("count").textContent = `${some.length} picked${hidden ? `, ${hidden} of them hidden` : ""}`;
  text.value = names.length ? before + names.join(between === "lines" ? "\n" : between) + after : "";
  find("told").textContent = "";
  for (const id of ["clear", "copy", "write"]) {
    if (find(id)) find(id).disabled = !names.length;
  }
}

function press(button, on) {
  button.setAttribute("aria-pressed", String(on));
}

list.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  press(button, button.getAttribute("aria-pressed") !== "true");
  count();
});

find("clear").addEventListener("click", () => {
  picked().forEach((button) => press(button, false));
  count();
});

list.addEventListener("keydown", (event) => {
  const shown = seen();
  const columns = shown.filter((button) => button.offsetTop === shown[0].offsetTop).length;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -all.length, End: all.length };
  const step = steps[event.key];
  if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const place = shown.indexOf(event.target) + step;
  if (Math.abs(step) === all.length || (place >= 0 && place < shown.length)) {
    shown[Math.max(0, Math.min(place, shown.length - 1))].focus();
  }
});

// --- what becomes of the picked ones ---

find("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(text.value);
  } catch {
    text.focus(); // where a browser keeps its clipboard: the text is selected for the reader to copy
    text.select();
    if (!document.execCommand("copy")) {
      find("told").textContent = "Selected below: copy it from there";
      return;
    }
  }
  find("told").textContent = "Copied";
});

async function ask(what, body, button) {
  button.disabled = true;
  find("told").textContent = what === "write" ? "Writing …" : "";
  try {
    const answer = await fetch(what, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const said = await answer.json();
    find("told").textContent = said.error ?? said.told;
  } catch {
    find("told").textContent = "metagan does not answer: it may have ended";
  }
  button.disabled = false;
}

find("write")?.addEventListener("click", (event) => {
  ask("write", { picked: picked().map((button) => button.dataset.name) }, event.target);
});
find("done")?.addEventListener("click", (event) => ask("done", {}, event.target));

find("tools").addEventListener("change", arrange);
find("tools").addEventListener("submit", (event) => event.preventDefault());
all.forEach((button) => { button.tabIndex = -1; });
find("tools").reset(); // a browser may keep what stood there before it was loaded again
look(current);
arrange();
