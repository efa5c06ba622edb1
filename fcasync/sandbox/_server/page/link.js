// The hosted page of a session: a person picks an institution and accounts in it.

import { ask, element, say } from "/_page/common.js";

const byId = (id) => document.getElementById(id);
const clientSecret = decodeURIComponent(location.pathname.replace("/link/", ""));

function choice(account, index) {
  const box = element("input", { type: "checkbox", name: "account", value: index, checked: index === 0 });
  const name = element("span", {}, [account.display_name, element("small", {}, `${account.category} · ${account.subcategory.replaceAll("_", " ")}`)]);
  return element("label", { className: "choice" }, [box, name]);
}

function showDone(page) {
  byId("form").hidden = true;
  byId("done").hidden = false;
  if (page.declined) byId("done-title").textContent = "Cancelled: no accounts linked";
  byId("linked").replaceChildren(...page.linked.map((id) => element("li", {}, [element("code", {}, id)])));
  // Only a web address: a session may name any scheme, and `javascript:` is one.
  if (/^https?:\/\//i.test(page.return_url ?? "")) {
    byId("return").href = page.return_url;
    byId("return").hidden = false;
  }
  byId("done-title").focus();
}

function showForm(page) {
  byId("permissions").textContent = `Shares: ${page.permissions.join(", ").replaceAll("_", " ")}`
    + (page.most ? ` · at most ${page.most}` : "");
  byId("institution").append(...page.institutions.map((name) => element("option", { value: name }, name)));
  byId("accounts").append(...page.accounts.map(choice));
  byId("submit").disabled = !page.accounts.length;
}

async function start() {
  try {
    const page = await ask(`link?client_secret=${encodeURIComponent(clientSecret)}`);
    if (page.linked.length || page.declined) showDone(page);
    else showForm(page);
  } catch (error) {
    byId("form").hidden = true;
    say(error.message, { lost: true });
  }
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const accounts = form.getAll("account").map(Number);
  try {
    showDone(await ask("link", { client_secret: clientSecret, institution: form.get("institution"), accounts }));
  } catch (error) {
    say(error.message);
  }
});

byId("cancel").addEventListener("click", async () => {
  try {
    const page = await ask("decline", { client_secret: clientSecret });
    showDone(page);
    if (!byId("return").hidden) location.assign(byId("return").href);
  } catch (error) {
    say(error.message);
  }
});

start();
