// Scripted faults: the form asks for what the chosen kind needs, and those in force are listed.

import { ask, byId, count, element, sentence, tag, words } from "/_page/common.js";

let kinds = { kinds: {}, summaries: {}, statuses: {} };
let drawn = "";

const place = (operation) => (operation === "*" ? "everywhere" : words(operation));

function item(fault, index, end) {
  const share = fault.probability < 1 ? `${Math.round(fault.probability * 100)} %` : null;
  const times = fault.times === null ? null : count(fault.times, "time");
  const status = kinds.kinds[fault.kind].includes("status") ? ` ${fault.status ?? kinds.statuses[fault.kind]}` : "";
  const seconds = fault.seconds ? `${fault.seconds} s` : null;
  const stop = element("button", { type: "button", className: "small", "aria-label": `End ${words(fault.kind)} ${place(fault.operation)}` }, "End");
  stop.addEventListener("click", () => end(index));
  const where = [place(fault.operation), seconds, share, times].filter(Boolean).join(", ");
  return element("li", {}, [element("span", {}, [tag(`${words(fault.kind)}${status}`, "bad"), ` ${where}`]), stop]);
}

// Show the fields that the kind needs; the others are switched off, so that they are not sent either.
function fit() {
  const kind = byId("kind").value;
  byId("fault-summary").replaceChildren(...sentence(kinds.summaries[kind]));
  for (const field of byId("fault").querySelectorAll("[data-setting]")) {
    const needed = kinds.kinds[kind]?.includes(field.dataset.setting) ?? false;
    field.hidden = !needed;
    field.querySelector("input, select").disabled = !needed;
  }
  const status = byId("fault").elements.status;
  status.value = kinds.statuses[kind] ?? "";
  [status.min, status.max] = kind === "redirect" ? [301, 308] : [400, 599];
}

function read(form) {
  const fault = { kind: form.get("kind"), operation: form.get("operation"), probability: Number(form.get("share")) / 100 };
  if (form.get("times")) fault.times = Number(form.get("times"));
  for (const name of ["status", "seconds"]) if (form.has(name)) fault[name] = Number(form.get(name));
  for (const name of ["executed", "stored"]) if (form.get(name)) fault[name] = form.get(name) === "true";
  return fault;
}

export function faults(act) {
  // A list replaces the one in force, so the others are asked for just before.
  const others = async (change) => change((await ask("faults")).data);
  const end = (index) => act("faults", () => others((data) => data.filter((_, each) => each !== index)), "Fault ended.");
  byId("kind").addEventListener("change", fit);
  byId("no-faults").addEventListener("click", () => act("faults", [], "All faults ended."));
  byId("fault").addEventListener("submit", (event) => {
    event.preventDefault();
    const fault = read(new FormData(event.target));
    act("faults", () => others((data) => [...data, fault]), `From now on: ${words(fault.kind)}, ${place(fault.operation)}.`);
  });

  return {
    fill(choices) {
      kinds = choices;
      byId("kind").replaceChildren(...Object.keys(kinds.kinds).map((name) => element("option", { value: name }, words(name))));
      byId("operation").replaceChildren(...choices.operations.map((name) => element("option", { value: name }, place(name))));
      fit();
    },
    draw(state) {
      const text = JSON.stringify(state.faults);
      if (text === drawn) return;
      drawn = text;
      byId("no-faults").disabled = !state.faults.length;
      byId("faults").hidden = !state.faults.length;
      byId("faults").replaceChildren(...state.faults.map((fault, index) => item(fault, index, end)));
    },
  };
}
