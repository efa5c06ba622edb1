// The ledger: the latest requests, live, and each with what was sent and what came back.

import { ask, block, button, byId, code, copy, element, facts, instant, nothing, quiet, tag, words } from "/_page/common.js";
import { rows } from "/_page/table.js";

const PAGE = 15;
const REPEATED = ["Request-Id", "Idempotency-Key"]; // headers of the answer that stand above it already
let anchor = null; // the newest row shown while the list stands still; null while it is live
let total = 0;

function tone(status) {
  if (status === 429) return "wait";
  return status < 400 ? null : "bad";
}

function answerOf(row) {
  const isBad = row.status >= 400;
  const status = tone(row.status) ? tag(String(row.status), tone(row.status)) : element("span", {}, String(row.status));
  const executed = isBad ? tag("executed", "wait") : quiet("executed"); // an error that took effect is worth a look
  return [status, row.executed ? executed : null, row.replayed ? tag("replayed", "wait") : null,
    row.fault ? tag(words(row.fault), "bad") : null];
}

// An operation has its name; any other request has its path. Behind it stands the id that it is about.
function what(row) {
  if (!row.operation) return [row.method, row.path, ""];
  return [row.method, words(row.operation), row.path.match(/\b(fca|fcsess|fctxn|evt)_\w+/)?.[0] ?? ""];
}

function cells(row) {
  const [method, name, id] = what(row);
  return [
    instant(row.time),
    [quiet(method), row.operation ? element("strong", {}, name) : code(name), id ? code(id) : null],
    answerOf(row),
    row.idempotency_key ? element("code", { className: "short", title: row.idempotency_key }, row.idempotency_key) : nothing(),
  ];
}

function story(row) {
  if (row.replayed) return "The stored answer of an earlier request with this key; nothing was done again.";
  if (row.executed && row.fault) return "It took effect; the fault came between it and the client.";
  if (row.executed) return "It took effect.";
  return row.method === "POST" ? "It had no effect." : null;
}

function sent({ params, headers, body, body_size }) {
  const shown = params.length
    ? facts(params.map(([name, value]) => [code(name), code(value)]))
    : element("p", { className: "quiet" }, body_size ? "Not a form." : "No parameters.");
  const isForm = (headers["content-type"] ?? "form").includes("form");
  return [shown, body && !isForm ? block(body, "Body of the request") : null];
}

function cut(size, text) {
  return size > 16384 ? quiet(`The first 16 KiB of ${size.toLocaleString("en")} bytes.`) : null;
}

function answered({ answer, answer_headers, answer_size }) {
  const shown = Object.entries(answer_headers).filter(([name]) => !REPEATED.includes(name));
  const headers = shown.map(([name, value]) => [name, code(value)]);
  return [facts(headers), block(answer || "(empty)", "Body of the answer"), cut(answer_size)];
}

function part(title, children) {
  return element("section", {}, [element("h3", {}, title), ...[children].flat().filter(Boolean)]);
}

function panel(row, showAccount) {
  const node = element("div", { className: "panel" }, element("p", { className: "quiet" }, "One moment …"));
  const account = row.account?.startsWith("fca_")
    ? [code(row.account), " ", button("Show", () => showAccount(row.account), { "aria-label": `Show account ${row.account}` })] : row.account;
  const about = (headers) => facts([
    ["Request id", code(row.request_id)],
    ["Path", code(row.path)],
    ["Number", row.number.toLocaleString("en")],
    ["Account", account],
    ["Idempotency key", row.idempotency_key && code(row.idempotency_key)],
    ["Fault", row.fault && words(row.fault)],
    ["Effect", story(row)],
    ["Stripe-Account", headers["stripe-account"]],
    ["Stripe-Context", headers["stripe-context"]],
    ["Stripe-Version", headers["stripe-version"]],
    ["Client", headers["user-agent"]],
  ]);
  ask(`request?number=${row.number}`).then((seen) => {
    if (!seen.params) {
      node.replaceChildren(about({}), element("p", { className: "quiet" },
        "Parameters and answer are kept of the latest 1,000 requests, unless they were not valid HTTP."));
      return;
    }
    const again = seen.curl
      ? [block(seen.curl, "curl command"), element("p", { className: "actions" }, [copy(seen.curl, "Command"),
        quiet("Address and key come from the environment.")])]
      : quiet("Its body does not fit on a command line.");
    node.replaceChildren(about(seen.headers), part("Parameters", sent(seen)),
      part("Answer", answered(seen)), part("Send it again", again));
  }, (error) => node.replaceChildren(element("p", { className: "lost" }, error.message)));
  return { node, update() {} };
}

export function requests(redraw, showAccount) {
  const table = rows(byId("ledger"), {
    key: (row) => row.number,
    label: (row) => `${instant(row.time)} UTC, ${what(row).join(" ")}, ${row.status}`,
    cells,
    panel: (row) => panel(row, showAccount),
  });

  function move(to) {
    anchor = to >= total ? null : to;
    redraw();
  }
  byId("pause").addEventListener("click", () => { anchor = anchor === null ? total : null; redraw(); });
  byId("later").addEventListener("click", () => move(anchor + PAGE));
  byId("earlier").addEventListener("click", () => move(Math.max(PAGE, (anchor ?? total) - PAGE)));

  return {
    reset() {
      anchor = null;
      total = 0;
      table.clear();
    },
    async draw(state) {
      if (state.requests < total) table.clear(); // a reset: the numbers start again
      total = state.requests;
      if (anchor !== null && anchor > total) anchor = null;
      const newest = anchor ?? total;
      const since = Math.max(0, newest - PAGE);
      const { data } = newest ? await ask(`ledger?since=${since}&limit=${Math.min(PAGE, newest)}`) : { data: [] };
      table.draw(data.reverse());
      const last = data[data.length - 1]?.number;
      byId("requests").textContent = total ? `${data[0].number.toLocaleString("en")}–${last.toLocaleString("en")} of ${total.toLocaleString("en")}` : "";
      byId("ledger").closest("table").hidden = total === 0;
      byId("no-requests").hidden = total > 0;
      byId("pause").setAttribute("aria-pressed", String(anchor !== null));
      byId("pause").disabled = total === 0;
      byId("later").disabled = anchor === null || anchor === total;
      byId("earlier").disabled = !last || last <= 1 || last !== since + 1;
    },
  };
}
