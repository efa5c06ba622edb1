// The page at "/": asks once a second how things stand, and looks closer when something has changed.

import { accounts } from "/_page/accounts.js";
import { ask, byId, complain, duration, instant, Refusal, say, words } from "/_page/common.js";
import { events } from "/_page/events.js";
import { faults } from "/_page/faults.js";
import { requests } from "/_page/requests.js";
import { worlds } from "/_page/worlds.js";

const REST = 5; // polls after which it looks closer even if no figure has changed
let choices = null; // what there is to choose, as the server lists it
let figures = "";
let rested = 0;
let isLost = false;
let drawing = Promise.resolve();

function drawControls(state) {
  byId("now").textContent = `${instant(state.now)} UTC`;
  byId("advanced").textContent = state.advanced ? `${duration(state.advanced)} ahead` : "real time";
  const { rate, endpoint, concurrency } = state.rate_limit;
  const limits = [rate && `${rate}/s`, endpoint && `${endpoint}/s each`, concurrency && `${concurrency} at once`];
  byId("rate").textContent = limits.filter(Boolean).join(", ") || "none";
  for (const each of document.querySelectorAll("[data-rate]")) {
    each.setAttribute("aria-pressed", String(each.dataset.shows === byId("rate").textContent));
  }
  faultList.draw(state);
}

async function drawOnce(closely) {
  if (!choices) {
    choices = await ask("choices");
    faultList.fill(choices);
  }
  const state = await ask("state");
  drawControls(state);
  const seen = JSON.stringify({ ...state, now: 0 });
  rested += 1;
  if (!closely && seen === figures && rested < REST) return;
  await Promise.all([worldList, ledger, accountList, eventList].map((part) => part.draw(state)));
  figures = seen;
  rested = 0;
}

// One after the other, so that an answer that was overtaken is not drawn over a newer one.
function redraw(closely = true) {
  drawing = drawing.then(() => drawOnce(closely)).then(found, lost);
  return drawing;
}

function found() {
  if (isLost) say("The sandbox is back.");
  isLost = false;
}

function lost(error) {
  if (error instanceof Refusal && error.status === 404) {
    complain("This key has not sent a request since the sandbox started; this is the sandbox's own world.");
    worldList.leave();
  } else if (error instanceof Refusal) {
    complain(error.message);
  } else if (!isLost) {
    isLost = true;
    complain("The sandbox does not answer.");
  }
}

async function watch() {
  if (!document.hidden) await redraw(false);
  setTimeout(watch, 1000);
}

// Do something and say so; `body` may be a function that has to ask for something first.
async function act(action, body, done) {
  try {
    await ask(action, typeof body === "function" ? await body() : body);
    say(done);
    await redraw();
  } catch (error) {
    complain(error instanceof Refusal ? error.message : "The sandbox does not answer.");
  }
}

async function openSession() {
  try {
    const { client_secret } = await ask("session", {});
    location.assign(`/link/${encodeURIComponent(client_secret)}`);
  } catch (error) {
    complain(error.message);
  }
}

const show = (id) => accountList.show(id);
const play = (account, scenario) => act("scenario", { account, scenario }, `${account}: ${words(scenario)}.`);
const faultList = faults(act);
const accountList = accounts(redraw, () => choices, play);
const ledger = requests(redraw, show);
const eventList = events(redraw, show);
const worldList = worlds(redraw, () => {
  for (const part of [ledger, accountList, eventList]) part.reset();
});

byId("link").addEventListener("click", openSession);
byId("reset").addEventListener("click", () => act("reset", {}, "Started over."));
for (const each of document.querySelectorAll("[data-advance]")) {
  each.addEventListener("click", () => act("advance", { seconds: Number(each.dataset.advance) }, `The clock is ${each.dataset.said} further.`));
}
for (const each of document.querySelectorAll("[data-rate]")) {
  each.addEventListener("click", () => act("rate_limit", JSON.parse(each.dataset.rate), `Rate limit: ${each.textContent}.`));
}
document.addEventListener("visibilitychange", () => { if (!document.hidden) redraw(); });
watch();
