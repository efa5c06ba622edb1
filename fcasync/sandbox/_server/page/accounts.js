// The accounts of the world, a page at a time; an opened one shows all of it, and can meet a rare moment.

import { ask, block, byId, code, complain, element, facts, instant, money, nothing, quiet, sentence, tag, words } from "/_page/common.js";
import { rows } from "/_page/table.js";

const PAGE = 10;
const TONES = { active: null, inactive: "wait", disconnected: "bad", succeeded: null, pending: "wait", failed: "bad" };
const FEATURES = { balance: "balance_refresh", ownership: "ownership_refresh", transactions: "transaction_refresh" };
let skip = 0;

function name(account) {
  const parts = [account.institution_name, account.display_name, account.last4 && `••\u00a0${account.last4}`];
  return parts.filter(Boolean).join(" · ");
}

function status(account) {
  const { status, status_details } = account;
  const about = status_details?.[status] ?? {};
  return [TONES[status] ? tag(status, TONES[status]) : quiet(status),
    about.action && about.action !== "none" ? tag(words(about.action), "wait") : null,
    about.expected_deactivation_date ? tag("ends soon", "wait") : null];
}

function refreshes(account) {
  const done = Object.entries(FEATURES).filter(([, field]) => account[field]);
  if (!done.length) return nothing();
  const ordinary = done.filter(([, field]) => !TONES[account[field].status]).map(([feature]) => feature);
  const others = done.filter(([, field]) => TONES[account[field].status]);
  return [...others.map(([feature, field]) => tag(`${feature} ${account[field].status}`, TONES[account[field].status])),
    ordinary.length ? quiet(ordinary.join(", ")) : null];
}

function cells(account) {
  return [
    [code(account.id), " ", element("small", {}, name(account))],
    status(account),
    account.balance ? money(account.balance) : nothing(),
    refreshes(account),
  ];
}

function refreshFact(refresh) {
  if (!refresh) return "never";
  const next = instant(refresh.next_refresh_available_at);
  return `${refresh.status}, attempted ${instant(refresh.last_attempted_at)}${next ? `, next from ${next}` : ""}`;
}

function known(account) {
  const about = account.status_details?.[account.status] ?? {};
  const holder = account.account_holder ?? {};
  return facts([
    ["Holder", holder.customer ?? holder.account ?? holder.customer_account],
    ["Kind", `${account.category}, ${words(account.subcategory)}`],
    ["Permissions", (account.permissions ?? []).map(words).join(", ")],
    ["Subscribed to", (account.subscriptions ?? []).join(", ")],
    ["To do", about.action && about.action !== "none" ? words(about.action) : null],
    ["Cause", about.cause && about.cause !== "unspecified" ? words(about.cause) : null],
    ["Access ends", instant(about.expected_deactivation_date)],
    ["Balance as of", instant(account.balance?.as_of)],
    ...Object.entries(FEATURES).map(([feature, field]) => [`Refresh of ${feature}`, refreshFact(account[field])]),
  ]);
}

function scenarioForm(account, scenarios, play) {
  const summary = element("p", { className: "quiet", "aria-live": "polite" });
  const select = element("select", { name: "scenario" }, Object.keys(scenarios).map((each) =>
    element("option", { value: each }, words(each))));
  const explain = () => summary.replaceChildren(...sentence(scenarios[select.value]));
  select.addEventListener("change", explain);
  explain();
  const form = element("form", { className: "scenario" }, [
    element("label", {}, [element("span", {}, "Rare moment"), select]),
    element("button", { type: "submit" }, "Let it happen"), summary]);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    play(account.id, select.value);
  });
  return form;
}

function panel(account, scenarios, play) {
  const about = element("div");
  const json = element("details", {}, element("summary", {}, "JSON"));
  const node = element("div", { className: "panel" }, [scenarioForm(account, scenarios, play), about, json]);
  const update = (now) => {
    about.replaceChildren(known(now));
    json.replaceChildren(json.firstElementChild, block(JSON.stringify(now, null, 2), `JSON of ${now.id}`));
  };
  update(account);
  return { node, update };
}

export function accounts(redraw, choices, play) {
  const table = rows(byId("accounts"), {
    key: (account) => account.id,
    cells,
    panel: (account) => panel(account, choices().scenarios, play),
  });

  async function show(id) {
    try {
      const place = (await ask(`position?account=${encodeURIComponent(id)}`)).skip;
      skip = place - (place % PAGE);
      await redraw();
      table.open(id);
    } catch (error) {
      complain(error.message);
    }
  }
  byId("newer").addEventListener("click", () => { skip = Math.max(0, skip - PAGE); redraw(); });
  byId("older").addEventListener("click", () => { skip += PAGE; redraw(); });
  byId("find").addEventListener("submit", (event) => {
    event.preventDefault();
    show(new FormData(event.target).get("account").trim());
  });

  return {
    show,
    reset() {
      skip = 0;
      table.clear();
    },
    async draw(state) {
      if (skip >= state.accounts) skip = 0;
      const { data, has_more } = await ask(`accounts?skip=${skip}&limit=${PAGE}`);
      table.draw(data);
      const place = `${(skip + 1).toLocaleString("en")}–${(skip + data.length).toLocaleString("en")}`;
      byId("range").textContent = state.accounts ? `${place} of ${state.accounts.toLocaleString("en")}` : "";
      byId("accounts").closest("table").hidden = state.accounts === 0;
      byId("no-accounts").hidden = state.accounts > 0;
      byId("newer").disabled = skip === 0;
      byId("older").disabled = !has_more;
    },
  };
}
