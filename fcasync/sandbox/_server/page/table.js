// A table whose rows open. It is drawn anew without losing what is open, focused or being typed.

import { element } from "/_page/common.js";

let panels = 0;

// `label` names a row for a screen reader, where the first column does not; `cells` returns what stands in the columns; `panel` returns { node, update } for an opened row.
export function rows(body, { key, label, cells, panel }) {
  const titles = [...body.closest("table").tHead.rows[0].cells].map((cell) => cell.textContent);
  const held = new Map();

  function create(item) {
    const id = `panel-${(panels += 1)}`;
    const toggle = element("button", { type: "button", className: "toggle", "aria-expanded": "false", "aria-controls": id });
    const row = element("tr", { className: "row", role: "row" }, titles.map((title) =>
      element("td", { role: "cell", "data-label": title })));
    row.cells[0].append(toggle);
    const place = element("td", { colSpan: titles.length, id, role: "cell" });
    const detail = element("tr", { className: "detail", hidden: true, role: "row" }, place);
    const entry = { row, detail, toggle, place, item: null, text: "", panel: null };
    row.addEventListener("click", (event) => {
      const chosen = getSelection().toString() || event.target.closest("a");
      if (event.target.closest(".toggle") || !chosen) open(entry, detail.hidden);
    });
    return entry;
  }

  function update(entry, item) {
    const text = JSON.stringify(item);
    if (entry.text === text) return;
    Object.assign(entry, { item, text });
    const [first, ...rest] = cells(item);
    entry.toggle.replaceChildren(...[first].flat());
    if (label) entry.toggle.setAttribute("aria-label", label(item));
    rest.forEach((content, index) => entry.row.cells[index + 1].replaceChildren(
      element("div", { className: "cell" }, content)));
    entry.panel?.update(item);
  }

  function open(entry, opened) {
    if (opened && !entry.panel) {
      entry.panel = panel(entry.item);
      entry.place.replaceChildren(entry.panel.node);
    }
    entry.detail.hidden = !opened;
    entry.row.classList.toggle("open", opened);
    entry.toggle.setAttribute("aria-expanded", String(opened));
  }

  return {
    draw(items) {
      const wanted = new Set(items.map(key));
      for (const [name, entry] of held) {
        if (wanted.has(name)) continue;
        entry.row.remove();
        entry.detail.remove();
        held.delete(name);
      }
      let next = body.firstElementChild;
      for (const item of items) {
        const entry = held.get(key(item)) ?? create(item);
        held.set(key(item), entry);
        update(entry, item);
        // Rows that are in place are not moved: a node that is moved loses the focus.
        if (entry.row === next) next = entry.detail.nextElementSibling;
        else body.insertBefore(entry.row, next).after(entry.detail);
      }
    },
    open(name) {
      const entry = held.get(name);
      if (!entry) return;
      open(entry, true);
      entry.toggle.focus();
      entry.row.scrollIntoView({ block: "center" });
    },
    clear() {
      held.clear();
      body.replaceChildren();
    },
  };
}
