
// ── The explorer: all rows, found and put in order over typed columns, few of them drawn ────────────────────────────

const HEIGHT = 52; // px of a list item, as in the style sheet
const SPARE = 8; // items drawn above and below what is seen

let rows; // the columns, by name
let total = 0;
let textPlace; // of every row its place among the texts, -1 without
let texts = []; // reference, hypothesis, diff of one row after another
let haystacks = []; // what the search looks in, made as it is needed
let gathered = null; // all of them as one text, and where each row's begins, once they are all made
let shown = new Uint32Array(0); // row numbers, filtered and in order
let chosen = 0; // place in `shown`

const word = (name, row) => rows[`${name}.words`][rows[name].values[row]];
const number = (name, row) => {
  const value = rows[name].values[row];
  return value === MISSING ? null : value / rows[name].per;
};
const utterance = (row) => rows.utterance_id[row];
const REFERENCE = 0, HYPOTHESIS = 1, DIFF = 2;
const textOf = (row, which) => (textPlace[row] < 0 ? null : texts[textPlace[row] * 3 + which]);
const ended = (row) => (word("outcome", row) || rows.facts.none).replaceAll("_", " ");
const final = (row) => rows.facts.final.includes(word("outcome", row));

function haystack(row) {
  return (haystacks[row] ??= folded(
    [utterance(row), textOf(row, REFERENCE), textOf(row, HYPOTHESIS), word("reason", row)].filter(Boolean).join("\n"),
  ));
}

function gather() {
  const starts = new Uint32Array(total + 1);
  for (let row = 0; row < total; row += 1) starts[row + 1] = starts[row] + haystacks[row].length + 1;
  gathered = { text: haystacks.join("\0"), starts };
  haystacks = [];
}

// Returns 1 for every row that holds a text: one search through all rows, from each hit on to the next row.
function holding(wanted) {
  const { text, starts } = gathered;
  const found = new Uint8Array(total);
  for (let row = 0, at = text.indexOf(wanted); at >= 0 && row < total; at = text.indexOf(wanted, starts[row])) {
    let beyond = total;
    while (beyond - row > 1) {
      const middle = (row + beyond) >>> 1;
      if (starts[middle] <= at) row = middle;
      else beyond = middle;
    }
    found[row] = 1;
    row += 1;
  }
  return found;
}

const ORDERS = {
  rate: ["rate", true],
  plain: ["rate", false],
  errors: ["errors", true],
  failed: ["passed", false],
  long: ["audio_s", true],
  short: ["audio_s", false],
  speech: ["speech_s", true],
  ear: ["ear_rate", true],
  plan: [null, false],
}; // by the value of the choice; others are latencies, the slowest first

const offered = [...byId("f-order").options].map((option) => option.value); // the first is how the list begins
const orderOf = (name) => ORDERS[name] ?? [name, true];
const orders = {}; // of all rows, by name, kept once made

// Returns all rows in order of a column, ties in plan order, those without a value last: a radix sort of the int32 values.
function inOrder([name, descending]) {
  const all = Uint32Array.from({ length: total }, (_, row) => row);
  if (name === null) return all;
  const { values } = rows[name];
  let order = all.filter((row) => values[row] !== MISSING);
  const missing = all.filter((row) => values[row] === MISSING);
  const key = (row) => ((descending ? ~values[row] : values[row]) ^ MISSING) >>> 0;
  let next = new Uint32Array(order.length);
  for (const shift of [0, 11, 22]) {
    const places = new Uint32Array(2049);
    for (const row of order) places[((key(row) >>> shift) & 2047) + 1] += 1;
    for (let digit = 0; digit < 2048; digit += 1) places[digit + 1] += places[digit];
    for (const row of order) next[places[(key(row) >>> shift) & 2047]++] = row;
    [order, next] = [next, order];
  }
  const whole = new Uint32Array(total);
  whole.set(order);
  whole.set([...missing.filter((row) => !final(row)), ...missing.filter(final)], order.length);
  return whole;
}

// Done while nothing else is: every order, then the folded texts, so that sorting and searching take no time when asked for.
function workAhead(row = 0) {
  const later = self.requestIdleCallback || ((work) => setTimeout(() => work({ timeRemaining: () => 8 }), 30));
  later((idle) => {
    const name = offered.find((one) => !orders[one]);
    if (name) orders[name] = inOrder(orderOf(name));
    let next = row;
    while (!name && next < total && idle.timeRemaining() > 2) {
      for (const end = Math.min(total, next + 200); next < end; next += 1) haystack(next);
    }
    if (next < total) {
      workAhead(next);
      return;
    }
    gather();
    byId("explore").dataset.ready = "search";
  });
}

const CHOICES = ["dataset", "locale", "model", "outcome"];
const RANGES = [
  ["least", () => "rate", 1 / 100, (value, bound) => value >= bound],
  ["most", () => "rate", 1 / 100, (value, bound) => value <= bound],
  ["slow", () => rows.facts.awaited[0][1], 1, (value, bound) => value >= bound],
  ["passed", () => "passed", 1, (value, bound) => value === bound],
].filter(([id]) => byId(`f-${id}`)); // those that the task has

function tests() {
  const found = [];
  for (const name of CHOICES) {
    const wanted = byId(`f-${name}`).value;
    if (wanted === "") continue;
    const { values } = rows[name];
    const place = Number(wanted);
    found.push((row) => values[row] === place);
  }
  const fault = byId("f-fault").value;
  if (fault !== "") {
    const with_it = rows["faults.words"].map((faults) => (fault === "any" ? faults !== "" : faults.split("\n").includes(fault)));
    found.push((row) => with_it[rows.faults.values[row]]);
  }
  for (const [id, name, unit, fits] of RANGES) {
    const bound = byId(`f-${id}`).value;
    if (bound === "") continue;
    const { values, per } = rows[name()];
    const whole = Math.round(Number(bound) * unit * per); // compared as it is stored, without fractions
    found.push((row) => values[row] !== MISSING && fits(values[row], whole));
  }
  const text = folded(byId("f-text").value.trim());
  if (text && gathered) {
    const rowsWith = holding(text);
    found.push((row) => rowsWith[row]);
  } else if (text) found.push((row) => haystack(row).includes(text));
  return found;
}

function refilter(keep) {
  const wanted = tests();
  const name = byId("f-order").value;
  const order = (orders[name] ??= inOrder(orderOf(name)));
  shown = wanted.reduce((left, fits) => left.filter(fits), order);
  byId("count").textContent = `${whole(shown.length)} of ${whole(total)} rows`;
  byId("rows").style.height = `${shown.length * HEIGHT}px`;
  byId("list").scrollTop = 0;
  choose(keep === undefined ? 0 : Math.max(0, shown.indexOf(keep)));
}

function choose(place) {
  const list = byId("list");
  chosen = Math.max(0, Math.min(place, shown.length - 1));
  const top = chosen * HEIGHT;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
  drawList();
  drawDetail(shown.length ? shown[chosen] : null);
  remember();
}

function drawList() {
  const list = byId("list");
  const from = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - SPARE);
  const to = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + SPARE);
  const items = [];
  for (let place = from; place < to; place += 1) items.push(item(place));
  byId("rows").replaceChildren(...items);
  if (chosen >= from && chosen < to) list.setAttribute("aria-activedescendant", `item-${chosen}`);
  else list.removeAttribute("aria-activedescendant");
}

function item(place) {
  const row = shown[place];
  const outcome = ended(row);
  const judged = number(rows.facts.task === "ask" ? "passed" : "rate", row) !== null;
  const made = element(
    "div",
    {
      role: "option", id: `item-${place}`, class: "item", "data-place": place,
      "aria-selected": place === chosen ? "true" : "false", "aria-setsize": shown.length, "aria-posinset": place + 1,
    },
    headline(row),
    inScript("span", row, textOf(row, REFERENCE) || textOf(row, HYPOTHESIS) || "–", "text"),
    element("span", { class: "tail" }, word("locale", row)),
    element("span", { class: "id" }, element("bdi", {}, utterance(row))),
    element("span", { class: "tail" }, judged && outcome !== "ok" ? outcome : seconds(number(rows.facts.awaited[0][1], row))),
  );
  made.style.top = `${place * HEIGHT}px`;
  return made;
}

// Returns what a row comes to: its rate, whether its answer passed, or how it ended.
function headline(row) {
  const outcome = ended(row);
  if (rows.facts.task === "ask") {
    const passed = number("passed", row);
    if (passed !== null) return element("b", { class: passed ? "word well" : "word" }, passed ? "passed" : "failed");
    return element("b", { class: "word" }, outcome === "ok" ? "not judged" : outcome);
  }
  const rate = number("rate", row);
  if (rate !== null) return element("b", {}, percent(rate));
  return element("b", { class: "word" }, outcome === "ok" ? "no rate" : outcome);
}

// Text in the row's own language and direction, isolated from what stands around it.
function inScript(tag, row, content, kind) {
  return element(tag, { class: kind, ...rows.facts.locales[word("locale", row)] }, element("bdi", {}, content));
}

// ── What is being looked at, in the address ─────────────────────────────────────────────────────────────────────────

const FIELDS = ["text", ...CHOICES, "fault", ...RANGES.map(([id]) => id)];

let remembering; // a timer: browsers refuse an address that changes with every key

function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(rememberNow, 300);
}

function rememberNow() {
  const state = new URLSearchParams();
  for (const name of FIELDS) {
    const { value } = byId(`f-${name}`);
    if (value !== "") state.set(name, CHOICES.includes(name) ? rows[`${name}.words`][value] ?? "" : value);
  }
  if (byId("f-order").value !== offered[0]) state.set("order", byId("f-order").value);
  if (shown.length && (chosen || state.size)) state.set("row", shown[chosen]);
  const wanted = state.size ? `#?${state}` : "";
  if (wanted || location.hash.startsWith("#?")) history.replaceState(null, "", wanted || "#explorer");
}

function recall() {
  if (!location.hash.startsWith("#?")) return false;
  const state = new URLSearchParams(location.hash.slice(2));
  for (const name of FIELDS) {
    const value = state.get(name);
    if (value === null) byId(`f-${name}`).value = "";
    else byId(`f-${name}`).value = CHOICES.includes(name) ? rows[`${name}.words`].findIndex((one) => (one ?? "") === value) : value;
  }
  if (offered.includes(state.get("order"))) byId("f-order").value = state.get("order");
  refilter(Number(state.get("row") ?? NaN));
  byId("explorer").scrollIntoView();
  return true;
}

// ── Hands ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function fill(name, words) {
  const select = byId(`f-${name}`);
  select.append(element("option", { value: "" }, "all"));
  words.forEach(([value, label]) => select.append(element("option", { value }, label)));
  select.closest("label").hidden = words.length < (name === "fault" ? 1 : 2);
}

// Shows what a link elsewhere in the page is about: a cell, a mistake's example, a flag.
function follow({ dataset, locale, model, id, fault }) {
  for (const name of FIELDS) byId(`f-${name}`).value = "";
  for (const [name, value] of Object.entries({ dataset, locale, model })) {
    if (value !== undefined) byId(`f-${name}`).value = String(rows[`${name}.words`].indexOf(value));
  }
  byId("f-order").value = offered[0];
  if (fault !== undefined) byId("f-fault").value = fault;
  refilter();
  if (id !== undefined) choose(Math.max(0, shown.findIndex((row) => utterance(row) === id)));
  byId("list").focus({ preventScroll: true });
}

function listen() {
  const list = byId("list");
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("input", () => refilter());
  byId("filters").addEventListener("reset", () => setTimeout(refilter));
  list.addEventListener("scroll", drawList, { passive: true });
  list.addEventListener("click", (event) => {
    const found = event.target.closest(".item");
    if (found) choose(Number(found.dataset.place));
  });
  list.addEventListener("keydown", (event) => {
    const page = Math.floor(list.clientHeight / HEIGHT) - 1;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -shown.length, End: shown.length };
    if (!(event.key in steps)) return;
    event.preventDefault();
    choose(chosen + steps[event.key]);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.matches("#filters input, #filters select")) return event.target.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, audio")) return;
    const act = { "/": search, p: playOrPause, n: () => step(1), b: () => step(-1) }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.querySelectorAll('a[href="#explorer"][data-id], a[data-model], a[data-fault]').forEach((link) =>
    link.addEventListener("click", () => follow({ ...link.closest("[data-model]")?.dataset, ...link.dataset })),
  );
  addEventListener("hashchange", recall);
}

function search() {
  byId("f-text").focus({ preventScroll: true });
  byId("explore").scrollIntoView({ block: "start", behavior: "instant" }); // so that what is found is in sight
}

async function start() {
  rows = await unpacked("pack-rows");
  total = rows.utterance_id.length;
  textPlace = new Int32Array(total).fill(-1);
  const found = await unpacked("pack-texts");
  found.rows.values.forEach((row, place) => (textPlace[row] = place));
  texts = found.texts;
  for (const name of CHOICES) {
    const words = rows[`${name}.words`].map((value, place) => [place, value ?? rows.facts.none]);
    fill(name, words.sort(([, a], [, b]) => (a < b ? -1 : 1)));
  }
  const faults = [...new Set(rows["faults.words"].flatMap((some) => some.split("\n")))].filter(Boolean).sort();
  fill("fault", faults.length ? [["any", "any"], ...faults.map((one) => [one, one])] : []);
  byId("explore").hidden = false;
  listen();
  if (!recall()) refilter();
  byId("explore").dataset.ready = "rows";
  await readSessions();
  byId("explore").dataset.ready = "all";
  workAhead();
}
