// Which keys there are: each has a world of its own, and the page shows one of them at a time.

import { ask, button, byId, code, copy, count, element, enter, instant, quiet } from "/_page/common.js";

const FEW = 8; // worlds from which on they can be searched
const HINTS = 5;
let names = new Map();
let find = "";

// The world that the address names, if it is the name of one: anybody can write an address.
function chosen() {
  const name = new URLSearchParams(location.hash.slice(1)).get("world") ?? "";
  return /^[0-9a-f]{32}(\/acct_\w+)*$/.test(name) ? name : "";
}

function label(row, data) {
  const alike = data.filter(({ key, account }) => key === row.key && account === row.account).length > 1;
  return [row.key, row.account, alike && `(${row.id.slice(0, 4)})`].filter(Boolean).join(" · ");
}

function drawChoices(data, state) {
  const select = byId("world");
  const wanted = new Map(data.map((row, index) => [row.id, `${names.get(row.id)}${index === 0 && !find ? ", the sandbox's own" : ""}`]));
  if (!wanted.has(state.world)) wanted.set(state.world, names.get(state.world) ?? "this one");
  const text = JSON.stringify([...wanted]);
  if (select.dataset.drawn !== text) {
    select.dataset.drawn = text;
    select.replaceChildren(...[...wanted].map(([id, name]) => element("option", { value: id }, name)));
  }
  select.value = state.world;
}

function drawConnect(state) {
  const line = `export STRIPE_API_BASE=${location.origin} STRIPE_API_KEY=${state.is_own ? state.api_key : "sk_test_…"}`;
  const place = byId("connect");
  if (place.dataset.drawn === line) return;
  place.dataset.drawn = line;
  place.replaceChildren(element("code", { id: "key" }, state.is_own ? state.api_key : names.get(state.world) ?? ""),
    ...(state.is_own ? [copy(state.api_key, "Key")] : []));
  byId("first-steps").hidden = !state.is_own;
  byId("export").replaceChildren(element("pre", { tabIndex: 0, role: "group", "aria-label": "Environment of a client" }, code(line)), copy(line, "Line"));
}

// A person who sends another key than the printed one must not look at an empty page.
function drawOthers(data, state) {
  const busy = data.filter((row) => row.id !== state.world && row.requests > 0).slice(0, HINTS);
  byId("others").hidden = !busy.length;
  byId("other-worlds").replaceChildren(...busy.map((row) => element("li", {}, [
    element("span", {}, [code(names.get(row.id)), " ", quiet(`${count(row.requests, "request")}, the last at ${instant(row.used)}`)]),
    button("Show", () => { location.hash = `world=${encodeURIComponent(row.id)}`; }, { "aria-label": `Show the world of ${names.get(row.id)}` }),
  ])));
}

export function worlds(redraw, changed) {
  const take = () => {
    enter(chosen());
    changed();
    redraw();
  };
  enter(chosen());
  addEventListener("hashchange", take);
  byId("world").addEventListener("change", (event) => { location.hash = `world=${encodeURIComponent(event.target.value)}`; });
  byId("world-find").addEventListener("input", (event) => { find = event.target.value; redraw(); });

  return {
    leave() {
      history.replaceState(null, "", location.pathname);
      take();
    },
    async draw(state) {
      const { data, total, found } = await ask(`worlds?find=${encodeURIComponent(find)}`);
      for (const row of data) names.set(row.id, label(row, data));
      byId("world-find").parentElement.hidden = total < FEW;
      const more = found > data.length ? `, of which ${data.length} are listed` : "";
      byId("world-count").textContent = total > 1 ? `${count(total, "world")}${more}: one per key and connected account` : "";
      drawChoices(data, state);
      drawConnect(state);
      drawOthers(data, state);
    },
  };
}
