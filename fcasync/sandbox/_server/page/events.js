// What has happened in the world, and the attempts to deliver it to an endpoint.

import { ask, block, byId, button, code, element, facts, instant, quiet, tag } from "/_page/common.js";
import { rows } from "/_page/table.js";

const PAGE = 8;
const DELIVERIES = 8;
let skip = 0;
let count = 0;

const brief = (type) => type.replace("financial_connections.", "");

function about(event) {
  return event.data.object.id;
}

function panel(event, showAccount) {
  const id = about(event);
  const account = id.startsWith("fca_")
    ? [code(id), " ", button("Show", () => showAccount(id), { "aria-label": `Show account ${id}` })] : code(id);
  const node = element("div", { className: "panel" }, [
    facts([["Event id", code(event.id)], ["Type", code(event.type)], ["About", account]]),
    block(JSON.stringify(event, null, 2), `JSON of ${event.id}`)]);
  return { node, update() {} };
}

function cells(event) {
  return [instant(event.created), element("span", {}, brief(event.type)),
    [code(about(event)), event.pending_webhooks ? tag("not delivered", "wait") : null]];
}

function delivery(row) {
  const failed = `attempt ${row.attempt}: ${row.status ?? row.error}`;
  return element("li", {}, [element("span", {}, brief(row.type)),
    row.delivered ? quiet("delivered") : tag(failed, "bad")]);
}

export function events(redraw, showAccount) {
  const table = rows(byId("events"), {
    key: (event) => event.id,
    label: (event) => `${instant(event.created)} UTC, ${brief(event.type)}`,
    cells,
    panel: (event) => panel(event, showAccount),
  });
  byId("events-newer").addEventListener("click", () => { skip = Math.max(0, skip - PAGE); redraw(); });
  byId("events-older").addEventListener("click", () => { skip += PAGE; redraw(); });

  async function drawDeliveries() {
    const { data } = await ask("webhooks");
    byId("webhooks").replaceChildren(...data.slice(-DELIVERIES).reverse().map(delivery));
    byId("no-webhooks").hidden = data.length > 0;
  }

  return {
    reset() {
      skip = 0;
      count = 0;
      table.clear();
    },
    async draw(state) {
      if (state.events < count) table.clear(); // a reset: the ids come again
      count = state.events;
      const { data, has_more, total } = await ask(`events?skip=${skip}&limit=${PAGE}`);
      table.draw(data);
      byId("events-range").textContent = data.length ? `${skip + 1}–${skip + data.length} of ${total.toLocaleString("en")}` : "";
      byId("events").closest("table").hidden = !data.length;
      byId("no-events").hidden = data.length > 0;
      byId("events-newer").disabled = skip === 0;
      byId("events-older").disabled = !has_more;
      byId("hooks").hidden = !state.delivers;
      if (state.delivers) await drawDeliveries();
    },
  };
}
