
// ── One utterance: its diff, its clip, its session ──────────────────────────────────────────────────────────────────

let sessions = new Map(); // by row
let clips = [];
let player = null; // {audio, from, speech} of what is shown, seconds of the clip
let errors = []; // the pieces of the diff that are errors
let at = -1; // which of them was stepped to

async function readSessions() {
  const found = await unpacked("pack-sessions");
  found.rows.values.forEach((row, place) => sessions.set(row, found.sessions[place]));
  clips = found.clips;
  if (shown.length) drawDetail(shown[chosen]);
}

const NAMES = { S: "substituted", D: "not heard", I: "never said" };

// A mark without its base would sit on whatever stands before it.
const onCircle = (letters) => (/^\p{M}/u.test(letters) ? `◌${letters}` : letters);

// Draws the stored operations: pieces parted by U+001E, the sides of a substitution by U+001F.
function diff(row, stored) {
  const spaced = rows.facts.spaced.includes(word("metric", row));
  const block = element("div", { class: "diff", ...rows.facts.locales[word("locale", row)] });
  const pieces = stored.split("\x1e").map((text) => [text[0], ...text.slice(1).split("\x1f")]);
  const letters = pieces.reduce((sum, [op, said]) => sum + (op === "I" ? 0 : said.length), 0);
  let before = 0;
  const add = (made, said) => {
    made.dataset.share = letters ? before / letters : 0;
    before += said.length;
    block.append(made, spaced ? " " : "");
  };
  for (const [op, first, second] of pieces) {
    if (op === "=") {
      if (spaced) for (const token of first.split(" ")) add(element("bdi", {}, token), token);
      else add(element("span", {}, onCircle(first)), first);
    } else if (op === "I") add(piece(op, null, first), "");
    else add(piece(op, first, op === "S" ? second : null), first);
  }
  return block;
}

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

// Moves to another error of the diff; playing then begins there.
function step(by) {
  if (!errors.length) return;
  errors[at]?.classList.remove("at");
  at = (at + by + (at < 0 && by < 0 ? 1 : 0) + errors.length) % errors.length;
  errors[at].classList.add("at");
  errors[at].scrollIntoView({ block: "nearest" });
}

function drawDetail(row) {
  const detail = byId("detail");
  player?.audio.pause();
  [player, errors, at] = [null, [], -1];
  if (row === null) {
    detail.replaceChildren(element("p", { class: "sub" }, "No row fits these filters."));
    return;
  }
  const session = sessions.get(row);
  const clip = session && session.clip !== null ? clips[session.clip] : null;
  const stored = textOf(row, DIFF);
  const reason = word("reason", row);
  const faults = word("faults", row);
  const parts = [
    element("h3", {}, element("bdi", {}, utterance(row))),
    element("p", { class: "sub" },
      `${word("locale", row)} · `, element("bdi", {}, word("model", row)), " · ", element("bdi", {}, word("dataset", row)),
      ` · ${ended(row)}${number("repeat", row) > 1 ? ` · repeat ${number("repeat", row)}` : ""}`),
    reason ? element("p", { class: "why" }, element("bdi", {}, reason)) : null,
    faults ? element("p", { class: "why" }, `Suspicious: ${faults.split("\n").join(", ")}`) : null,
    stored ? diff(row, stored) : null,
    clip ? sound(clip, session) : null,
    session && (clip || session.fragments) ? timeline(row, session, clip) : null,
    measures(row),
    expected(row),
    ...(textPlace[row] < 0
      ? [element("p", { class: "sub" }, "Its texts are not in this page: utterances.csv holds them.")]
      : [
          element("h4", {}, TITLES[rows.facts.task][0]), inScript("p", row, textOf(row, REFERENCE) || "–", "raw"),
          element("h4", {}, TITLES[rows.facts.task][1]), inScript("p", row, textOf(row, HYPOTHESIS) || "–", "raw"),
        ]),
    ...(!rows.ear || word("ear", row) === null
      ? []
      : [
          element("h4", {}, "Heard by ", element("bdi", {}, word("ear", row))), inScript("p", row, rows.ear_hypothesis[row] || "–", "raw"),
        ]),
    session?.fragments?.length ? fragments(row, session) : null,
    session?.moments ? wire(session) : null,
    elsewhere(row),
  ];
  detail.replaceChildren(...parts.filter((part) => part !== null));
  errors = [...detail.querySelectorAll(".piece")];
}

// Returns whether an answer passed, or what a transcript's errors are.
function judgement(row) {
  if (rows.facts.task === "ask") {
    const passed = number("passed", row);
    return [["passed", passed === null ? "–" : passed ? "yes" : "no"]];
  }
  const counted = number("errors", row) !== null;
  return [
    [word("metric", row) || "rate", percent(number("rate", row))],
    ["errors", counted ? `${whole(number("errors", row))} of ${whole(number("reference_tokens", row))}` : "–"],
    ["S / D / I", counted ? ["substitutions", "deletions", "insertions"].map((name) => number(name, row)).join(" / ") : "–"],
  ];
}

// What a row's two texts are in each task.
const TITLES = {
  transcribe: ["Reference as written", "Hypothesis as received"],
  speak: ["Text to be spoken", "What the service says it said"],
  ask: ["Question", "Answer"],
};

function expected(row) {
  const what = rows.facts.task === "ask" && word("expectation", row);
  return what ? element("div", {}, element("h4", {}, "Expected"), element("p", { class: "raw" }, element("bdi", {}, what))) : null;
}

function measures(row) {
  const pairs = [...judgement(row), ...rows.facts.awaited.map(([name, column]) => [name, seconds(number(column, row))])];
  const add = (name, column, told = seconds) => {
    if (rows[column] && number(column, row) !== null) pairs.push([name, told(number(column, row))]);
  };
  add("rate by ear", "ear_rate", percent);
  add("function call", "tool_call_s");
  add("fell silent", "fell_silent_s");
  add("speech", "speech_s");
  add("characters a second", "speech_chars_per_s", (value) => value.toFixed(1));
  add("audio", "audio_s");
  if (number("audio_s", row) !== null) pairs.push(["speech from", word("speech_bounds_source", row) || "–"]);
  add("send lag p99", "send_lag_p99_ms", (value) => `${value.toFixed(1)} ms${number("late", row) ? ", late" : ""}`);
  const cost = number("cost_usd", row);
  pairs.push(
    ["attempts", whole(number("attempts", row))],
    ["tokens", whole(number("total_tokens", row))],
    ["cost", cost === null ? "–" : `$${cost.toFixed(6)}`],
  );
  return element("dl", { class: "measures" },
    ...pairs.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

// The same utterance under other models and in other repeats.
function elsewhere(row) {
  const found = [];
  for (let other = 0; other < total && found.length < 24; other += 1) {
    if (other !== row && utterance(other) === utterance(row) && word("dataset", other) === word("dataset", row)) found.push(other);
  }
  if (!found.length) return null;
  const open = (other) => {
    const button = element("button", { type: "button", class: "plain" },
      element("bdi", {}, word("model", other)), " ", headline(other),
      number("repeat", other) > 1 ? ` repeat ${number("repeat", other)}` : null);
    button.addEventListener("click", () => {
      const place = shown.indexOf(other);
      if (place >= 0) choose(place);
      else {
        for (const name of FIELDS) byId(`f-${name}`).value = "";
        refilter(other);
      }
    });
    return element("li", {}, button);
  };
  return element("div", {}, element("h4", {}, "The same utterance elsewhere"), element("ul", { class: "others" }, ...found.map(open)));
}

// ── Sound ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function sound(clip, session) {
  let source = null;
  if (clip.audio !== undefined) source = `data:audio/mpeg;base64,${byId(`audio-${clip.audio}`).textContent}`;
  else if (clip.link !== undefined) source = clip.link;
  if (source === null) return null;
  const audio = element("audio", { controls: true, preload: clip.audio === undefined ? "none" : "metadata", src: source, "aria-label": "The clip" });
  player = { audio, from: clip.from || 0, speech: session.speech };
  const said = element("p", { class: "why", role: "status", hidden: true }, "The clip does not lie beside this page any more.");
  audio.addEventListener("error", () => (said.hidden = false));
  byId("detail").querySelector(".diff")?.classList.add("playable");
  return element("div", { class: "sound" }, audio, said);
}

// Plays from a time of the clip, in seconds.
function playFrom(t) {
  if (!player) return;
  const { audio, from } = player;
  const begin = () => {
    audio.currentTime = from + Math.max(0, t);
    audio.play().catch(() => {});
  };
  if (audio.readyState >= 1) begin();
  else {
    audio.addEventListener("loadedmetadata", begin, { once: true });
    audio.load();
  }
}

function playOrPause() {
  if (!player) return;
  if (!player.audio.paused) player.audio.pause();
  else if (at >= 0) playFrom(placeOf(errors[at]));
  else playFrom(player.audio.currentTime - player.from);
}

// Where in the clip a token is about said: its letters' share of the text is its share of the speech.
function placeOf(token) {
  const [onset, end] = player.speech || [0, 0];
  return onset + Number(token.dataset.share) * (end - onset) - 0.3;
}

document.addEventListener("click", (event) => {
  const token = player && event.target.closest(".diff [data-share]");
  if (token) playFrom(placeOf(token));
});

// ── The timeline ────────────────────────────────────────────────────────────────────────────────────────────────────

const WIDE = 640, WAVE = 64, LANE = 15; // of the drawing, in its own units

const LANES = [
  ["sent", ([, dir, , , until]) => dir === ">" && until !== undefined],
  ["we say", ([, dir, name, , until]) => dir === ">" && until === undefined && name !== "setup"],
  ["text", ([, dir, name]) => dir === "<" && /Transcription$|modelTurn$/.test(name)],
  ["service", ([, dir, name]) => dir === "<" && !/Transcription$|modelTurn$|setupComplete/.test(name)],
];

function timeline(row, session, clip) {
  const moments = session.moments || [];
  const length = session.length || number("audio_s", row) || session.speech?.[1] || 1;
  const start = session.at || 0; // of the clip, on the session's clock
  const last = moments.filter(([, dir]) => dir !== "!").reduce((most, [t, , , , until]) => Math.max(most, until ?? t), start + length);
  const x = (t) => Math.round((60 + (Math.max(0, t) / last) * (WIDE - 70)) * 10) / 10;
  const parts = [];
  if (session.speech) {
    const [from, to] = session.speech.map((t) => start + t);
    parts.push(drawing("rect", { class: "speech", x: x(from), y: 0, width: x(to) - x(from), height: WAVE }));
  }
  if (clip?.outline) parts.push(drawing("path", { class: "wave", d: wave(clip.outline, x(start), x(start + length) - x(start)) }));
  const lanes = LANES.map(([name, fits]) => [name, moments.filter(fits)]).filter(([, own]) => own.length);
  parts.push(drawing("text", { class: "lane", x: 0, y: WAVE / 2 + 4 }, "clip"));
  lanes.forEach(([name, own], place) => {
    const y = WAVE + 4 + place * LANE;
    parts.push(drawing("text", { class: "lane", x: 0, y: y + 10 }, name), drawing("path", { class: "rail", d: `M60 ${y + 7}H${WIDE}` }));
    for (const [t, , message, detail, until] of own) {
      const title = drawing("title", {}, `${seconds(t)} ${message} ${detail}`);
      parts.push(until === undefined
        ? drawing("path", { class: `tick${name === "text" ? " text" : ""}`, d: `M${x(t)} ${y + 1}v12` }, title)
        : drawing("rect", { class: "stretch", x: x(t), y: y + 4, width: Math.max(2, x(until) - x(t)), height: 6 }, title));
    }
  });
  const bottom = WAVE + 4 + lanes.length * LANE;
  const every = [0.5, 1, 2, 5, 10, 20, 60, 120].find((one) => last / one <= 10) || 300;
  for (let t = 0; t <= last; t += every) {
    parts.push(drawing("path", { class: "second", d: `M${x(t)} 0V${bottom}` }), drawing("text", { class: "lane", x: x(t), y: bottom + 12, "text-anchor": "middle" }, `${t} s`));
  }
  const head = drawing("path", { class: "head", d: `M0 0V${bottom}`, visibility: "hidden" });
  const svg = drawing("svg", { class: "session", viewBox: `0 0 ${WIDE} ${bottom + 16}`, role: "img",
    "aria-label": `The clip's waveform${session.speech ? `, speech from ${seconds(session.speech[0])} to ${seconds(session.speech[1])}` : ""}, and what was sent and received over ${seconds(last)}` }, ...parts, head);
  if (player) {
    svg.classList.add("playable");
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      const t = (((event.clientX - box.left) / box.width) * WIDE - 60) / (WIDE - 70) * last - start;
      if (t >= 0 && t <= length) playFrom(t);
    });
    const { audio, from } = player;
    audio.addEventListener("timeupdate", () => {
      head.setAttribute("visibility", "visible");
      head.setAttribute("transform", `translate(${x(start + audio.currentTime - from)} 0)`);
    });
  }
  return element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Timeline, scrollable" },
    element("div", { class: "courses" }, spectrogram(clip, x(start), x(start + length)), svg));
}

// Returns where a clip that is in the page is drawn by its frequencies, above the waveform between two places of it.
function spectrogram(clip, left, right) {
  if (!player || clip?.audio === undefined) return null;
  const canvas = element("canvas", { class: "frequencies", width: Math.round(right - left), height: 96, hidden: true,
    role: "img", title: `0 to ${TOP_HZ / 1000} kHz`, "aria-label": `The clip's spectrogram, from 0 to ${TOP_HZ / 1000} kHz` });
  canvas.style.marginInlineStart = `${(left / WIDE) * 100}%`;
  canvas.style.width = `${((right - left) / WIDE) * 100}%`;
  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    playFrom(((event.clientX - box.left) / box.width) * player.audio.duration - player.from);
  });
  requestAnimationFrame(() => drawSpectrogram(canvas, player.audio.src));
  return canvas;
}

// A letter for the least and one for the most of each column, U+0040 being silence and 31 full scale.
function wave(outline, left, width) {
  const columns = outline.length / 2;
  const level = (place) => WAVE / 2 - ((outline.charCodeAt(place) - 64) / 31) * (WAVE / 2);
  let path = "";
  for (let column = 0; column < columns; column += 1) {
    path += `M${(left + (column / columns) * width).toFixed(1)} ${level(2 * column + 1).toFixed(1)}V${(level(2 * column) + 0.6).toFixed(1)}`;
  }
  return path;
}

const BEHIND = 2; // s that recognisers run behind, about: a fragment is played from so long before it came

function fragments(row, session) {
  const said = session.at !== undefined; // by the model: its transcription comes with it
  const before = said ? 0 : BEHIND;
  const line = ([t, text, interim]) => {
    let when = seconds(t);
    if (player) {
      when = element("button", { type: "button", class: "plain", "aria-label": `Play from about ${seconds(t)}` }, `▶ ${seconds(t)}`);
      const length = session.length || number("audio_s", row) || t;
      when.addEventListener("click", () => playFrom(Math.min(t - (session.at || 0), length) - before));
    }
    return element("tr", {}, element("td", {}, when),
      element("td", { class: interim ? "interim" : null }, inScript("span", row, text.trim() || "␣")));
  };
  return element("div", {},
    element("h4", {}, `As it came, seconds from ${said ? "the end of the text" : "the clip's first sample"}${player && before ? `; played from ${before} s before` : ""}`),
    element("table", { class: "times" }, element("tbody", {}, ...session.fragments.map(line))));
}

const ARROWS = { ">": "→ sent", "<": "← received", "!": "· note" };

function wire(session) {
  const line = ([t, dir, name, detail, until]) => element("tr", {},
    element("td", {}, seconds(t) + (until === undefined ? "" : ` – ${seconds(until)}`)),
    element("td", {}, ARROWS[dir]),
    element("td", {}, element("code", {}, name), detail ? " " : null, detail ? element("bdi", {}, detail) : null));
  return element("details", {}, element("summary", {}, `Wire events (${whole(session.moments.length)})`),
    element("table", { class: "times wire" }, element("tbody", {}, ...session.moments.map(line))));
}

start();
