"use strict";
// Draws what is stored in the page; computes no score. Text reaches the page by textContent alone.

const byId = (id) => document.getElementById(id);

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  return furnished(made, attributes, children);
}

function drawing(tag, attributes, ...children) {
  return furnished(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function furnished(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// ── Tables that sort, and matrices that narrow ──────────────────────────────────────────────────────────────────────

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

const narrow = byId("narrow");
if (narrow) {
  narrow.closest("label").hidden = false;
  narrow.addEventListener("input", () => {
    const wanted = folded(narrow.value.trim());
    document.querySelectorAll("tr[data-name]").forEach((row) => {
      row.hidden = wanted !== "" && !folded(row.dataset.name).includes(wanted);
    });
  });
}

addEventListener("beforeprint", () => document.querySelectorAll("main details").forEach((one) => (one.open = true)));

// ── Figures ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const folded = (text) => text.normalize("NFC").toLocaleLowerCase();
const minus = (text) => text.replace("-", "−");
const percent = (rate) => (rate === null ? "–" : `${(rate * 100).toFixed(1)} %`);
const seconds = (value) => (value === null ? "–" : minus(`${value.toFixed(2)} s`));
const whole = (value) => (value === null ? "–" : value.toLocaleString("en"));

// ── Packed columns ──────────────────────────────────────────────────────────────────────────────────────────────────

const MISSING = -(2 ** 31); // the int32 that stands for a missing number

// Returns the parts of a pack by name: {values, per} of numbers, arrays of texts, and what was JSON.
async function unpacked(id) {
  const pressed = fromBase64(byId(id).textContent);
  const stream = new Blob([pressed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const start = 4 + new DataView(bytes.buffer).getUint32(0, true);
  const text = (from, to) => new TextDecoder().decode(bytes.subarray(from, to));
  const parts = {};
  for (const [name, [kind, offset, length, count, per]] of Object.entries(JSON.parse(text(4, start)))) {
    const [from, to] = [start + offset, start + offset + length];
    if (kind === "numbers") parts[name] = { values: joined(bytes.subarray(from, to), count), per };
    else if (kind === "texts") parts[name] = count ? text(from, to).split("\0") : [];
    else parts[name] = JSON.parse(text(from, to));
  }
  byId(id).remove();
  return parts;
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place += 1) bytes[place] = letters.charCodeAt(place);
  return bytes;
}

// Joins four planes of bytes, the least first, into int32.
function joined(planes, count) {
  const values = new Int32Array(count);
  for (let place = 0; place < count; place += 1) {
    values[place] =
      planes[place] | (planes[place + count] << 8) | (planes[place + 2 * count] << 16) | (planes[place + 3 * count] << 24);
  }
  return values;
}
