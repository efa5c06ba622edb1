// The hosted page of a session: a person picks an institution and accounts in it.

import { ask, byId, code, complain, count, element, words } from "/_page/common.js";

const clientSecret = secret(location.pathname.replace("/link/", ""));

function secret(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray percent sign: no session has that secret
  }
}

function choice(account, index) {
  const box = element("input", { type: "checkbox", name: "account", value: index, checked: index === 0 });
  const name = element("span", {}, [account.display_name, element("small", {}, `${account.category} · ${words(account.subcategory)}`)]);
  return element("label", { className: "choice" }, [box, name]);
}

// What the page ends with; `tone` is "good", "wait" or "bad".
function showEnd(title, text, tone) {
  byId("form").hidden = true;
  byId("done").hidden = false;
  byId("title-text").textContent = title;
  byId("outcome").textContent = text;
  byId("outcome").className = `outcome ${tone}`;
  byId("title").focus();
}

function showDone(page) {
  const { linked, declined, return_url } = page;
  if (declined) showEnd("Cancelled", "No accounts were linked. The session has ended.", "wait");
  else showEnd("Accounts linked", `${count(linked.length, "account")} can now be used.`, "good");
  byId("linked").replaceChildren(...linked.map((id) => element("li", {}, code(id))));
  byId("linked").hidden = !linked.length;
  // Only a web address: a session may name any scheme, and `javascript:` is one.
  if (/^https?:\/\//i.test(return_url ?? "")) {
    byId("return").href = return_url;
    byId("return").hidden = false;
  }
}

function showForm(page) {
  byId("permissions").textContent = `Shares: ${words(page.permissions.join(", "))}`
    + (page.most ? ` · at most ${page.most}` : "");
  byId("institution").append(...page.institutions.map((name) => element("option", { value: name }, name)));
  byId("accounts").append(...page.accounts.map(choice));
  byId("form").hidden = false;
  if (!page.accounts.length) {
    byId("accounts").append(element("p", { className: "quiet" }, "No account passes the session's filters."));
    byId("submit").disabled = true;
  }
}

async function start() {
  try {
    const page = await ask(`link?client_secret=${encodeURIComponent(clientSecret)}`);
    if (page.linked.length || page.declined) showDone(page);
    else showForm(page);
  } catch (error) {
    byId("linked").hidden = true;
    showEnd("This link leads nowhere", `${error.message}. It may belong to another sandbox, or be older than a reset.`, "bad");
  }
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const accounts = form.getAll("account").map(Number);
  try {
    showDone(await ask("link", { client_secret: clientSecret, institution: form.get("institution"), accounts }));
  } catch (error) {
    complain(error.message);
  }
});

byId("cancel").addEventListener("click", async () => {
  try {
    showDone(await ask("decline", { client_secret: clientSecret }));
    if (!byId("return").hidden) location.assign(byId("return").href);
  } catch (error) {
    complain(error.message);
  }
});

start();
