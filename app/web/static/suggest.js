// Suggestions under the search box (ARIA combobox with a listbox). Without this file the box is a plain form.
(() => {
  const DELAY_MS = 120;
  const LIMIT = 8;
  const box = document.querySelector("form.find input[name=q]");
  if (!box) return;

  const list = document.createElement("ul");
  list.id = "suggestions";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  const count = document.createElement("p"); // read by screen readers whenever it changes
  count.className = "visually-hidden";
  count.setAttribute("aria-live", "polite");
  box.form.append(list, count);
  const attributes = {
    role: "combobox", autocomplete: "off", "aria-autocomplete": "list", "aria-haspopup": "listbox",
    "aria-controls": list.id, "aria-expanded": "false",
  };
  Object.entries(attributes).forEach(([name, value]) => box.setAttribute(name, value));

  let timer = 0;
  let request = new AbortController();
  let active = -1;

  const stop = () => {
    clearTimeout(timer);
    request.abort();
  };

  const close = () => {
    stop();
    list.hidden = true;
    list.replaceChildren();
    count.textContent = "";
    box.setAttribute("aria-expanded", "false");
    activate(-1);
  };

  const activate = (index) => {
    active = index;
    [...list.children].forEach((option, n) => option.setAttribute("aria-selected", String(n === index)));
    if (index < 0) return box.removeAttribute("aria-activedescendant");
    box.setAttribute("aria-activedescendant", list.children[index].id);
    list.children[index].scrollIntoView({ block: "nearest" });
  };

  const choose = (option) => {
    box.value = option.dataset.text;
    close();
    box.form.requestSubmit();
  };

  const describe = ({ kind, year, items }) =>
    kind === "person" ? `${items} film${items === 1 ? "" : "s"}` : String(year ?? "");

  const build = (suggestion, index) => {
    const option = document.createElement("li");
    option.id = `suggestion-${index}`;
    option.dataset.text = suggestion.text;
    option.setAttribute("role", "option");
    const text = document.createElement("span");
    text.textContent = suggestion.text;
    const note = document.createElement("span");
    note.className = "muted number";
    note.textContent = describe(suggestion);
    option.append(text, " ", note);
    return option;
  };

  const show = (suggestions) => {
    list.replaceChildren(...suggestions.map(build));
    list.hidden = suggestions.length === 0;
    box.setAttribute("aria-expanded", String(!list.hidden));
    activate(-1);
    const plural = suggestions.length === 1 ? "" : "s";
    count.textContent = suggestions.length ? `${suggestions.length} suggestion${plural}` : "No suggestions";
  };

  const load = async () => {
    const { signal } = (request = new AbortController());
    const text = box.value.trim();
    if (!text) return close();
    try {
      const answer = await fetch(`/v1/suggest?${new URLSearchParams({ q: text, limit: LIMIT })}`, { signal });
      const { suggestions } = answer.ok ? await answer.json() : { suggestions: [] };
      if (!signal.aborted) show(suggestions);
    } catch {
      if (!signal.aborted) close(); // the service does not answer; the form still works
    }
  };

  const loadSoon = (delay) => {
    stop();
    timer = setTimeout(load, delay);
  };

  const move = (step) => {
    const size = list.children.length;
    activate(active < 0 ? (step > 0 ? 0 : size - 1) : (active + step + size) % size);
  };

  box.addEventListener("input", () => loadSoon(DELAY_MS));
  box.addEventListener("blur", close);
  box.form.addEventListener("submit", close);
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && list.hidden) loadSoon(0);
    else if (step) move(step);
    else if (event.key === "Escape" && !list.hidden) close();
    else if (event.key === "Enter" && active >= 0) choose(list.children[active]);
    else return;
    event.preventDefault();
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the focus in the box
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) choose(option);
  });
})();
