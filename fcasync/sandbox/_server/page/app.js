// The page at "/": asks the control plane once a second, and draws what has changed.

import { ask, element, money, say, tag } from "/_page/common.js";

const SHOWN = 200;
const PAGE = 50;
const SIGNS = { succeeded: "✓", pending: "…", failed: "✗" };
const TONES = { active: "good", succeeded: "good", pending: "wait", inactive: "wait", failed: "bad", disconnected: "bad" };

const byId = (id) => document.getElementById(id);
let seen = 0;
let skip = 0;
let paused = false;
let apiKey = "";
let summaries = {}; // what each scenario does, as the server lists them
let kinds = {}; // the settings of each kind of fault, as the server lists them

function outcome(row) {
  const parts = [];
  if (row.executed) parts.push(tag("executed", "good"));
  if (row.replayed) parts.push(tag("replayed", "wait"));
  if (row.fault) parts.push(tag(row.fault, "bad"));
  return parts;
}

function ledgerRow(row) {
  const tone = row.status < 300 ? "good" : row.status === 429 ? "wait" : "bad";
  const path = row.path.replace("/v1/financial_connections/", "…/");
  return element("tr", {}, [
    element("td", {}, new Date(row.time * 1000).toLocaleTimeString()),
    element("td", {}, [element("strong", {}, `${row.method} `), element("code", {}, path)]),
    element("td", {}, [tag(String(row.status), tone)]),
    element("td", {}, outcome(row)),
    element("td", {}, [element("code", {}, row.idempotency_key ?? "")]),
  ]);
}

async function drawLedger(requests) {
  if (requests < seen) {
    seen = 0;
    byId("ledger").replaceChildren();
  }
  byId("requests").textContent = `${requests} so far`;
  byId("no-requests").hidden = requests > 0;
  if (paused || requests === seen) return;
  const { data } = await ask(`ledger?since=${Math.max(seen, requests - SHOWN)}`);
  byId("ledger").prepend(...data.reverse().map(ledgerRow));
  seen = requests;
  while (byId("ledger").rows.length > SHOWN) byId("ledger").deleteRow(-1);
}

function refreshes(account) {
  const features = { balance: account.balance_refresh, ownership: account.ownership_refresh,
    transactions: account.transaction_refresh };
  return Object.entries(features).filter(([, refresh]) => refresh)
    .map(([name, { status }]) => {
      const badge = tag(`${name} ${SIGNS[status]}`, TONES[status]);
      badge.title = `${name} ${status}`;
      return badge;
    });
}

function accountRow(account) {
  const scenario = account.status === "active" ? "deactivated" : "reactivated";
  const act = element("button", { type: "button", className: "small", disabled: account.status === "disconnected" },
    scenario === "deactivated" ? "Deactivate" : "Reactivate");
  act.dataset.scenario = scenario;
  act.dataset.account = account.id;
  act.setAttribute("aria-label", `${act.textContent} ${account.id}`);
  const name = [account.institution_name, account.display_name, account.last4 && `•• ${account.last4}`];
  return element("tr", {}, [
    element("td", {}, [element("code", {}, account.id), element("small", {}, name.filter(Boolean).join(" · "))]),
    element("td", {}, [tag(account.status, TONES[account.status])]),
    element("td", {}, [act]),
    element("td", { className: "number" }, money(account.balance)),
    element("td", {}, refreshes(account)),
  ]);
}

async function drawAccounts(total) {
  const { data, has_more } = await ask(`accounts?skip=${skip}`);
  const table = byId("accounts");
  const held = document.activeElement?.dataset?.account;
  table.replaceChildren(...data.map(accountRow));
  if (changed("account-ids", data.map(({ id }) => id))) {
    byId("account-ids").replaceChildren(...data.map(({ id, display_name }) =>
      element("option", { value: id }, display_name ?? "")));
  }
  if (held) table.querySelector(`[data-account="${CSS.escape(held)}"]`)?.focus();
  byId("range").textContent = total ? `${skip + 1}–${skip + data.length} of ${total}` : "none";
  byId("newer").disabled = skip === 0;
  byId("older").disabled = !has_more;
}

function faultItem(fault, index) {
  const share = fault.probability < 1 ? ` ${Math.round(fault.probability * 100)} %` : "";
  const status = kinds[fault.kind].includes("status") ? ` ${fault.status ?? 500}` : "";
  const end = element("button", { type: "button", className: "small" }, "End");
  end.dataset.fault = index;
  const where = fault.operation === "*" ? "everywhere" : fault.operation;
  end.setAttribute("aria-label", `End ${fault.kind} ${where}`);
  return element("li", {}, [element("span", {}, [tag(`${fault.kind}${status}`, "bad"), ` ${where}${share}`]), end]);
}

const drawn = {};
function changed(name, value) {
  const text = JSON.stringify(value);
  if (drawn[name] === text) return false;
  drawn[name] = text;
  return true;
}

function drawControls(state) {
  apiKey = state.api_key;
  byId("key").textContent = state.api_key;
  byId("now").textContent = new Date(state.now * 1000).toISOString().replace("T", " ").slice(0, 19) + " UTC";
  byId("advanced").textContent = state.advanced ? `+${Math.round(state.advanced).toLocaleString()} s` : "real time";
  const { rate, endpoint, concurrency } = state.rate_limit;
  const limits = [rate && `${rate}/s`, endpoint && `${endpoint}/s each`, concurrency && `${concurrency} at once`];
  byId("rate").textContent = limits.filter(Boolean).join(", ") || "none";
  byId("no-faults").disabled = !state.faults.length;
  if (changed("faults", state.faults)) byId("faults").replaceChildren(...state.faults.map(faultItem));
}

async function drawWebhooks() {
  const { data } = await ask("webhooks");
  const latest = data.slice(-8).reverse();
  if (!changed("webhooks", [data.length, latest])) return;
  const items = latest.map((row) => element("li", {}, [
    element("span", {}, row.type.replace("financial_connections.account.", "")),
    tag(row.delivered ? "delivered" : `attempt ${row.attempt}`, row.delivered ? "good" : "bad")]));
  byId("webhooks").replaceChildren(...(items.length ? items : [element("li", { className: "quiet" }, "None sent")]));
}

async function draw() {
  if (!apiKey) await listChoices();
  const state = await ask("state");
  drawControls(state);
  await Promise.all([drawLedger(state.requests), drawAccounts(state.accounts), drawWebhooks()]);
}

async function watch() {
  try {
    await draw();
    if (byId("message").dataset.lost) say("");
  } catch {
    say("The sandbox does not answer.", { lost: true });
  }
  setTimeout(watch, 1000);
}

async function act(action, body, done) {
  try {
    const answer = await ask(action, body);
    say(done);
    await draw();
    return answer;
  } catch (error) {
    say(error.message);
    return null;
  }
}

function newFault(form) {
  const kind = form.get("kind");
  const fault = { kind, operation: form.get("operation"), probability: Number(form.get("share")) / 100 };
  for (const setting of kinds[kind]) fault[setting] = Number(form.get(setting));
  if (form.get("executed")) fault.executed = form.get("executed") === "true";
  return fault;
}

async function newSession() {
  const holder = `cus_${Date.now().toString(36)}`;
  const form = new URLSearchParams({ "account_holder[type]": "customer", "account_holder[customer]": holder });
  for (const name of ["balances", "ownership", "payment_method", "transactions"]) form.append("permissions[]", name);
  const answer = await fetch("/v1/financial_connections/sessions",
    { method: "POST", headers: { Authorization: `Bearer ${apiKey}` }, body: form });
  const session = await answer.json();
  if (!answer.ok) return say(session.error.message);
  location.assign(`/link/${session.client_secret}`);
}

async function listChoices() {
  const options = (names) => names.map((name) => element("option", { value: name }, name === "*" ? "everywhere" : name));
  const choices = await ask("choices");
  kinds = choices.kinds;
  byId("kind").replaceChildren(...options(Object.keys(kinds)));
  byId("operation").replaceChildren(...options(choices.operations));
  summaries = choices.scenarios;
  byId("scenarios").replaceChildren(...options(Object.keys(summaries)));
  explain();
}

function explain() {
  byId("scenario-summary").textContent = summaries[byId("scenarios").value];
}

function listen() {
  byId("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(apiKey);
    say("Key copied.");
  });
  byId("pause").addEventListener("click", (event) => {
    paused = !paused;
    event.target.setAttribute("aria-pressed", String(paused));
    event.target.textContent = paused ? "Resume" : "Pause";
  });
  byId("newer").addEventListener("click", () => { skip = Math.max(0, skip - PAGE); draw(); });
  byId("older").addEventListener("click", () => { skip += PAGE; draw(); });
  byId("reset").addEventListener("click", () => act("reset", {}, "Started over."));
  byId("no-faults").addEventListener("click", () => act("faults", [], "All faults ended."));
  byId("link").addEventListener("click", newSession);
  byId("scenarios").addEventListener("change", explain);
  byId("scenario").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    act("scenario", Object.fromEntries(form), `${form.get("scenario").replaceAll("_", " ")}.`);
  });
  byId("fault").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { data } = await ask("faults");
    act("faults", [...data, newFault(new FormData(event.target))], "Fault added.");
  });
  document.addEventListener("click", async ({ target }) => {
    const { advance, rate, scenario, account, fault } = target.dataset;
    if (advance) act("advance", { seconds: Number(advance) }, "Clock moved.");
    if (rate) act("rate_limit", JSON.parse(rate), "Rate limit set.");
    if (account) act("scenario", { account, scenario }, `Account ${scenario}.`);
    if (fault) {
      const { data } = await ask("faults");
      act("faults", data.filter((_, index) => index !== Number(fault)), "Fault ended.");
    }
  });
}

listen();
watch();
