// What both pages need: asking the control plane, and building elements without markup in strings.

export async function ask(action, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const answer = await fetch(`/_sandbox/${action}`, options);
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error.message);
  return data;
}

export function element(name, properties = {}, children = []) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...(Array.isArray(children) ? children : [children]));
  return node;
}

export function tag(text, tone = "") {
  return element("span", { className: `tag ${tone}` }, text);
}

export function money(balance) {
  if (!balance) return "–";
  return Object.entries(balance.current).map(([currency, minor]) =>
    new Intl.NumberFormat(undefined, { style: "currency", currency }).format(minor / 100)).join(", ");
}

let clearing = 0;
export function say(text, { lost = false } = {}) {
  const message = document.getElementById("message");
  message.textContent = text;
  message.dataset.lost = lost ? "yes" : "";
  clearTimeout(clearing);
  if (text && !lost) clearing = setTimeout(() => { message.textContent = ""; }, 2500);
}
