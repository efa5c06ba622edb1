// What the pages share: asking the control plane, building elements without markup in strings, and words.

let world = ""; // whose world is asked for; empty for the sandbox's own

export function enter(name) {
  world = name;
}

export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export async function ask(action, body) {
  const options = { headers: world ? { "Sandbox-World": world } : {} };
  if (body !== undefined) {
    options.method = "POST";
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(`/_sandbox/${action}`, options);
  const data = await answer.json();
  if (!answer.ok) throw new Refusal(data.error.message, answer.status);
  return data;
}

export const byId = (id) => document.getElementById(id);

export function element(name, properties = {}, children = []) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...[children].flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export function tag(text, tone) {
  return element("span", { className: `tag ${tone}` }, text);
}

export function quiet(text) {
  return element("span", { className: "quiet" }, text);
}

export function nothing() {
  return element("span", { className: "nothing" }, "–");
}

export function code(text) {
  return element("code", {}, text);
}

// A list of terms and what they are; those without a value are left out.
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return element("dl", { className: "facts" }, shown.flatMap(([term, value]) =>
    [element("dt", {}, term), element("dd", {}, value)]));
}

export function block(text, label) {
  return element("pre", { tabIndex: 0, role: "group", "aria-label": label }, code(text));
}

export function button(text, run, properties = {}) {
  const node = element("button", { type: "button", className: "small", ...properties }, text);
  node.addEventListener("click", run);
  return node;
}

export function copy(text, what) {
  return button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(text);
      say(`${what} copied.`);
    } catch {
      complain(`The browser does not let the page copy. Select the ${what.toLowerCase()} instead.`);
    }
  }, { "aria-label": `Copy the ${what.toLowerCase()}` });
}

// Every instant on the pages is UTC, of the world's own clock.
export function instant(seconds) {
  if (seconds === null || seconds === undefined) return null;
  return new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, 19);
}

export function duration(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].map(([size, unit]) => {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    return count && `${count.toLocaleString("en")} ${unit}`;
  });
  return parts.filter(Boolean).slice(0, 2).join(" ");
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

export function money(balance) {
  return Object.entries(balance.current ?? {}).map(([currency, minor]) => {
    const format = new Intl.NumberFormat("en", { style: "currency", currency });
    return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
  }).join(", ");
}

// A sentence of the server's, in which `backquotes` mark code.
export function sentence(text) {
  return (text ?? "").split(/`+/).map((part, index) => (index % 2 ? code(part) : part));
}

export function words(name) {
  return name.replaceAll("_", " ");
}

let clearing = 0;
export function say(text) {
  const message = byId("message");
  clearTimeout(clearing);
  byId("error").replaceChildren();
  message.textContent = text;
  clearing = setTimeout(() => { message.textContent = ""; }, 4000);
}

// An error stays until it is dismissed, or until something else is done.
export function complain(text) {
  byId("message").textContent = "";
  byId("error").replaceChildren(element("span", {}, text),
    button("Dismiss", () => byId("error").replaceChildren()));
}
