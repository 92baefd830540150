// The page is whole without this: it adds a filter and an expand-all, and opens what a link points to.
(() => {
  "use strict";
  const tools = document.getElementById("tools");
  const cases = [...document.querySelectorAll("details.case")];
  if (!tools || !cases.length) return;
  const chapters = [...document.querySelectorAll("details.chapter")];
  const words = [...new Set(cases.map((one) => one.dataset.v))];
  const chosen = new Set(words);

  const make = (tag, attributes, parent) => {
    const element = Object.assign(document.createElement(tag), attributes);
    parent.append(element);
    return element;
  };
  const search = make("input", { type: "search", placeholder: "Filter: room, address, requirement…" }, tools);
  search.setAttribute("aria-label", "Filter the cases by text");
  const result = document.createElement("output");

  const filter = () => {
    const sought = search.value.trim().toLowerCase();
    let shown = 0;
    for (const chapter of chapters) {
      const head = chapter.querySelector("summary").textContent.toLowerCase();
      let some = false;
      for (const one of chapter.querySelectorAll("details.case")) {
        const fits = chosen.has(one.dataset.v)
          && (!sought || head.includes(sought) || one.textContent.toLowerCase().includes(sought));
        one.hidden = !fits;
        some ||= fits;
        shown += fits;
      }
      chapter.hidden = !some;
      if (sought && some) chapter.open = true;
    }
    result.textContent = `${shown} of ${cases.length} cases`;
  };
  let due;
  search.addEventListener("input", () => { clearTimeout(due); due = setTimeout(filter, 150); });
  for (const word of words) {
    const label = make("label", {}, tools);
    const box = make("input", { type: "checkbox", checked: true }, label);
    label.append(` ${word}`);
    box.addEventListener("change", () => { box.checked ? chosen.add(word) : chosen.delete(word); filter(); });
  }
  const all = (open) => () => { for (const one of [...chapters, ...cases]) one.open = open; };
  make("button", { type: "button", textContent: "Expand all" }, tools).addEventListener("click", all(true));
  make("button", { type: "button", textContent: "Collapse all" }, tools).addEventListener("click", all(false));
  tools.append(result);
  tools.hidden = false;
  filter();

  const follow = () => {
    let element = document.getElementById(location.hash.slice(1));
    if (!element) return;
    const target = element;
    for (; element; element = element.parentElement) {
      if (element.matches("details")) { element.open = true; element.hidden = false; }
    }
    target.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  if (location.hash) follow();

  // Browsers that don't know ::details-content print what is open only.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of closed) one.open = false; });
})();
