
"use strict";
// Draws what is stored in the page; computes no score. Text reaches the page by textContent alone.
(() => {
  const HEIGHT = 52; // px of a list item, as in the style sheet
  const SPARE = 8; // items drawn above and below what is seen

  const data = JSON.parse(document.getElementById("data").textContent);
  const { columns, words, locales } = data;
  const cell = (name, row) => columns[name][row];
  const word = (name, row) => words[name][columns[name][row]];
  const byId = (id) => document.getElementById(id);

  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === true) made.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  // ── Tables that sort ──────────────────────────────────────────────────────────────────────────────────────────────

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, place) => {
      if (!head.textContent.trim() || head.querySelector(".sr")) return;
      const button = element("button", { type: "button" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const body = table.tBodies[0];
        const keyed = [...body.rows].map((row) => [sortKey(row.cells[place]), row]);
        keyed.sort(([a], [b]) => compared(a, b, up));
        body.append(...keyed.map(([, row]) => row));
      });
    });
  }

  function sortKey(td) {
    const text = td.dataset.value !== undefined ? td.dataset.value : td.textContent.trim();
    if (text === "" || text === "–") return null;
    const number = Number(text.split("/")[0].replaceAll(",", ""));
    return Number.isNaN(number) ? text : number;
  }

  function compared(a, b, up) {
    if (a === null || b === null) return (a === null) - (b === null); // what is missing stays last
    const order = typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;
    return up ? order : -order;
  }

  document.querySelectorAll("table.sortable").forEach(sortable);

  // ── Figures ───────────────────────────────────────────────────────────────────────────────────────────────────────

  const minus = (text) => text.replace("-", "−");
  const percent = (rate) => (rate === null ? "–" : `${(rate * 100).toFixed(1)} %`);
  const seconds = (value) => (value === null ? "–" : minus(`${value.toFixed(2)} s`));
  const whole = (value) => (value === null ? "–" : value.toLocaleString("en"));

  // ── The list ──────────────────────────────────────────────────────────────────────────────────────────────────────

  const list = byId("list");
  const rows = byId("rows");
  const detail = byId("detail");
  let shown = []; // row numbers, filtered and in order
  let chosen = 0; // place in `shown`

  const folded = (text) => (text || "").normalize("NFC").toLocaleLowerCase();
  const haystacks = new Array(data.count);
  const haystack = (row) =>
    (haystacks[row] ??= ["utterance_id", "reference", "hypothesis", "reason"]
      .map((name) => folded(cell(name, row)))
      .join("\n"));

  const last = (value) => (value === null ? -Infinity : value);
  const ORDERS = {
    rate: (a, b) => a - b, // stored so
    plain: (a, b) => (cell("rate", a) ?? Infinity) - (cell("rate", b) ?? Infinity) || a - b,
    final: (a, b) => last(cell("final_text_s", b)) - last(cell("final_text_s", a)) || a - b,
    first: (a, b) => last(cell("first_text_s", b)) - last(cell("first_text_s", a)) || a - b,
    long: (a, b) => last(cell("audio_s", b)) - last(cell("audio_s", a)) || a - b,
    id: (a, b) => (cell("utterance_id", a) < cell("utterance_id", b) ? -1 : 1),
  };
  const FILTERS = ["dataset", "locale", "model", "outcome"];

  function refilter() {
    const text = folded(byId("f-text").value.trim());
    const wanted = FILTERS.map((name) => [name, byId(`f-${name}`).value]).filter(([, value]) => value !== "");
    shown = [];
    for (let row = 0; row < data.count; row += 1) {
      if (wanted.every(([name, value]) => columns[name][row] === Number(value)) && (!text || haystack(row).includes(text)))
        shown.push(row);
    }
    const order = byId("f-order").value;
    if (order !== "rate") shown.sort(ORDERS[order]);
    byId("count").textContent = `${whole(shown.length)} of ${whole(data.total)} rows`;
    rows.style.height = `${shown.length * HEIGHT}px`;
    list.scrollTop = 0;
    choose(0);
  }

  function choose(place) {
    chosen = Math.max(0, Math.min(place, shown.length - 1));
    const top = chosen * HEIGHT;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
    draw();
    drawDetail();
  }

  function draw() {
    const from = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - SPARE);
    const to = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + SPARE);
    const items = [];
    for (let place = from; place < to; place += 1) items.push(item(place));
    rows.replaceChildren(...items);
    if (shown.length) list.setAttribute("aria-activedescendant", `item-${chosen}`);
    else list.removeAttribute("aria-activedescendant");
  }

  function item(place) {
    const row = shown[place];
    const rate = cell("rate", row);
    const outcome = ended(row);
    const made = element(
      "div",
      {
        role: "option", id: `item-${place}`, class: "item", "data-place": place,
        "aria-selected": place === chosen ? "true" : "false", "aria-setsize": shown.length, "aria-posinset": place + 1,
      },
      rate === null
        ? element("b", { class: "word" }, outcome === "ok" ? "no rate" : outcome)
        : element("b", {}, percent(rate)),
      text("span", row, cell("reference", row) || cell("hypothesis", row) || "–", "text"),
      element("span", { class: "tail" }, word("locale", row)),
      element("span", { class: "id" }, element("bdi", {}, cell("utterance_id", row))),
      element("span", { class: "tail" }, rate !== null && outcome !== "ok" ? outcome : seconds(cell("final_text_s", row))),
    );
    made.style.top = `${place * HEIGHT}px`;
    return made;
  }

  const ended = (row) => (word("outcome", row) || "not attempted").replaceAll("_", " ");

  // Text in the row's own language and direction, isolated from what stands around it.
  function text(tag, row, content, kind) {
    const { lang, rtl } = locales[word("locale", row)];
    return element(tag, { class: kind, lang, dir: rtl ? "rtl" : "ltr" }, element("bdi", {}, content));
  }

  // ── One utterance ─────────────────────────────────────────────────────────────────────────────────────────────────

  const spacedMetrics = new Set(data.spaced);
  // A mark without its base would sit on whatever stands before it.
  const onCircle = (letters) => (/^\p{M}/u.test(letters) ? `◌${letters}` : letters);

  function diff(row) {
    const spaced = spacedMetrics.has(word("metric", row));
    const { lang, rtl } = locales[word("locale", row)];
    const block = element("div", { class: "diff", lang, dir: rtl ? "rtl" : "ltr" });
    for (const [op, said, heard] of cell("diff", row)) {
      if (op === "=") {
        if (spaced) for (const token of said.split(" ")) block.append(element("bdi", {}, token), " ");
        else block.append(element("span", {}, onCircle(said)));
      } else {
        block.append(piece(op, op === "I" ? null : said, op === "I" ? said : op === "S" ? heard : null), spaced ? " " : "");
      }
    }
    return block;
  }

  const NAMES = { S: "substituted", D: "not heard", I: "never said" };

  function piece(op, said, heard) {
    return element(
      "span",
      { class: `piece ${op}`, title: NAMES[op] },
      element("span", { class: "sr" }, `[${NAMES[op]}: `),
      said === null ? element("span", { class: "said", "aria-hidden": "true" }, "‸") : element("bdi", { class: "said" }, onCircle(said)),
      heard === null ? element("span", { class: "heard", "aria-hidden": "true" }, "∅") : element("bdi", { class: "heard" }, onCircle(heard)),
      element("span", { class: "op", "aria-hidden": "true" }, op),
      element("span", { class: "sr" }, "]"),
    );
  }

  function drawDetail() {
    if (!shown.length) {
      detail.replaceChildren(element("p", { class: "sub" }, "No row fits these filters."));
      return;
    }
    const row = shown[chosen];
    const rate = cell("rate", row);
    const reason = cell("reason", row);
    const parts = [
      element("h3", {}, element("bdi", {}, cell("utterance_id", row))),
      element("p", { class: "sub" },
        `${word("locale", row)} · `, element("bdi", {}, word("model", row)), " · ", element("bdi", {}, word("dataset", row)),
        ` · ${ended(row)}${data.repeats > 1 ? ` · repeat ${cell("repeat", row)}` : ""}`),
      reason ? element("p", { class: "why" }, element("bdi", {}, reason)) : null,
      cell("faults", row).length ? element("p", { class: "why" }, `Suspicious: ${cell("faults", row).join(", ")}`) : null,
    ];
    if (cell("diff", row).length) parts.push(diff(row));
    parts.push(
      measures([
        [word("metric", row) || "rate", percent(rate)],
        ["errors", cell("errors", row) === null ? "–" : `${whole(cell("errors", row))} of ${whole(cell("reference_tokens", row))}`],
        ["S / D / I", cell("errors", row) === null ? "–" : ["substitutions", "deletions", "insertions"].map((n) => cell(n, row)).join(" / ")],
        ["first text", seconds(cell("first_text_s", row))],
        ["final text", seconds(cell("final_text_s", row))],
        ["audio", seconds(cell("audio_s", row))],
        ["speech from", word("speech_bounds_source", row) || "–"],
        ["send lag p99", cell("send_lag_p99_ms", row) === null ? "–" : `${cell("send_lag_p99_ms", row).toFixed(1)} ms${cell("late", row) ? ", late" : ""}`],
        ["attempts", whole(cell("attempts", row))],
        ["tokens", whole(cell("total_tokens", row))],
        ["cost", cell("cost_usd", row) === null ? "–" : `$${cell("cost_usd", row).toFixed(6)}`],
      ]),
      element("h4", {}, "Reference as written"), text("p", row, cell("reference", row) || "–", "raw"),
      element("h4", {}, "Hypothesis as received"), text("p", row, cell("hypothesis", row) || "–", "raw"),
    );
    const fragments = row < columns.fragments.length ? columns.fragments[row] : [];
    if (fragments.length) {
      parts.push(element("h4", {}, "As it came, seconds from the clip's first sample"), timeline(row, fragments));
    }
    detail.replaceChildren(...parts.filter((part) => part !== null));
  }

  function measures(pairs) {
    return element("dl", { class: "measures" },
      ...pairs.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  }

  function timeline(row, fragments) {
    return element("table", { class: "times" }, element("tbody", {},
      ...fragments.map(([t, fragment, interim]) => element("tr", {},
        element("td", {}, seconds(t)),
        element("td", { class: interim ? "interim" : null }, text("span", row, fragment.trim() || "␣"))))));
  }

  // ── Hands ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  function fill(name) {
    const select = byId(`f-${name}`);
    select.append(element("option", { value: "" }, "all"));
    words[name]
      .map((value, place) => [value || "not attempted", place])
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .forEach(([value, place]) => select.append(element("option", { value: place }, value)));
    select.closest("label").hidden = words[name].length < 2;
  }

  FILTERS.forEach(fill);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("input", refilter);
  list.addEventListener("scroll", draw, { passive: true });
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
  document.querySelectorAll("a[data-locale]").forEach((link) =>
    link.addEventListener("click", () => {
      byId("f-text").value = "";
      byId("f-outcome").value = "";
      for (const name of ["dataset", "locale", "model"]) byId(`f-${name}`).value = String(words[name].indexOf(link.dataset[name]));
      refilter();
      list.focus({ preventScroll: true });
    }),
  );
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => (one.open = true)));

  byId("explore").hidden = false;
  refilter();
})();
