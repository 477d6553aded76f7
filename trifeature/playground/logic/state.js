/* The state of the page as a link, and back. Whatever a link holds, a state that can be shown comes
 * out, with a note for everything that could not be taken as it was.
 *
 * It needs core.js, words.js, table_text.js, presets.js and path_steps.js.
 */
const State = (() => {
  "use strict";

  const inNode = typeof module !== "undefined";
  const C = inNode ? require("./core.js") : Core;
  const { ATOMS } = inNode ? require("./words.js") : Words;
  const { NUMBER, short, encodeTable, readTable } = inNode ? require("./table_text.js") : TableText;
  const { PRESETS, DEFAULTS, SAMPLE_SIZES, presetOf, presetState } = inNode ? require("./presets.js") : Presets;
  const { STEPS } = inNode ? require("./path_steps.js") : PathSteps;

  // ------------------------------------------------------------------ how a setting is written

  /** Keys of the link that make the law. */
  const LAW_KEYS = ["mode", "p", "task", "gate", "k", "rho", "share", "e"];

  /* How the keys of the link are read and written. Each has its `key`, the `field` of the state where
   * it has another name, `write` (value -> text) and `read` (text, notes, state -> value, undefined
   * for nonsense). */

  /** A number from `low` to `high`, moved to the nearest end with a note; `words` name it there. */
  const number = (name, words, low, high, whole = false) => ({
    key: name,
    write: (x) => (x === null ? "as-is" : short(x)),
    read: (text, notes, state) => {
      if (text === "as-is" && name === "rho" && state.mode === "table") return null;
      const x = NUMBER.test(text.trim()) ? Number(text) : NaN;
      if (Number.isNaN(x)) return undefined;
      const kept = Math.min(high, Math.max(low, whole ? Math.round(x) : x));
      if (kept !== x) notes.push(`${words} ${text} is not ${whole ? "a whole number " : ""}from ${low} to ${high}: set to ${kept}.`);
      return kept;
    },
  });

  /** One of a few values. */
  const choice = (name, options) => ({
    key: name, write: String, read: (text) => options.find((option) => String(option) === text),
  });

  /** Yes or no. */
  const flag = (name) => ({
    key: name, write: (x) => (x ? "1" : "0"), read: (text) => (text === "1" ? true : text === "0" ? false : undefined),
  });

  /** Names, separated by commas. */
  const list = (name) => ({
    key: name, write: (words) => words.join(","),
    read: (text) => (/^[\w+.,() \u03A3-]*$/.test(text) ? text.split(",").filter(Boolean) : undefined),
  });

  /** The four bars of a prediction, in bits. */
  const prediction = {
    key: "g", write: (g) => g.map(short).join(","),
    read: (text, notes) => {
      const words = text.split(",");
      if (words.length !== 4 || !words.every((word) => NUMBER.test(word))) return undefined;
      const g = words.map(Number);
      const kept = g.map((x) => Math.min(4, Math.max(0, x)));
      if (kept.some((x, c) => x !== g[c])) notes.push("A guess outside 0 to 4 bits was moved to the nearest end.");
      return kept;
    },
  };

  /** All keys but that of the preset, in the order in which a link has them. */
  const FIELDS = [
    choice("mode", ["images", "table"]),
    { key: "p", field: "base", write: encodeTable, read: (text) => readTable(text).table },
    choice("task", C.TASKS), choice("gate", C.GATES),
    number("k", "Classes:", 2, 10, true),
    number("rho", "Match rate", 0, 1), number("share", "Share rate", 0, 1),
    number("e", "Label noise", 0, 0.5),
    number("seed", "Seed", 1, 999999, true),
    number("map", "Map", 0, 9999, true),
    flag("mark"), flag("compare"), choice("n", SAMPLE_SIZES),
    choice("cover", ["", "1", "2"]), flag("guess"),
    prediction,
    flag("shown"), number("step", "Step", 0, 6, true), list("arms"),
    number("epoch", "Recorded epoch", -1, 1000, true), choice("unit", ["bits", "accuracy"]), list("hide"),
  ].map((field) => ({ field: field.key, ...field }));
  const KNOWN = new Set(FIELDS.map(({ key }) => key));

  /** A value of a setting as text. */
  const asText = (x) => JSON.stringify(x instanceof Object && x.p ? encodeTable(x) : x);

  /** Whether two values of a setting are the same, tables by their text. */
  const same = (x, y) => asText(x) === asText(y);

  // ------------------------------------------------------------------ a state as a link, and back

  /** State -> link fragment: the preset's name and what differs from it. */
  function toHash(state) {
    const start = presetState(state.preset);
    if (state.mode === "table" && !state.preset) Object.assign(start, { mode: "images", rho: null });
    const parts = state.preset ? [`preset=${state.preset}`] : [];
    const differs = (field) => !same(state[field], start[field]) && !(field === "base" && !state.base);
    // A step's link always names a law: alone it stands for the one that the step opens with.
    const lawless = state.step > 0 && !state.preset && state.mode === "images";
    for (const { key, field, write } of FIELDS)
      if (differs(field) || (lawless && key === "task")) parts.push(`${key}=${encodeURIComponent(write(state[field])).replace(/%2C/g, ",")}`);
    return parts.join("&");
  }

  /** The keys of a link fragment with their texts; of a key given twice the last one counts. */
  function keysOf(hash, notes) {
    const given = new Map();
    for (const part of hash.replace(/^#/, "").split("&").filter(Boolean)) {
      const at = part.indexOf("=");
      const key = at < 0 ? part : part.slice(0, at);
      let value = at < 0 ? "" : part.slice(at + 1);
      try { value = decodeURIComponent(value); } catch { /* a broken escape is read as it stands */ }
      if (given.has(key)) notes.push(`“${key.slice(0, 40)}” is given more than once: the last one counts.`);
      given.set(key, value);
    }
    return given;
  }

  /** A step without a law of its own has the one that it opens with. */
  function addStep(given) {
    const lesson = STEPS[Number(given.get("step")) - 1];
    if (!lesson || ["preset", ...LAW_KEYS].some((key) => given.has(key))) return;
    for (const [key, value] of keysOf(lesson.hash, [])) given.set(key, value);
  }

  /** Take the preset's name out of what a link gives: "" where there is none of that name. */
  function takePreset(given, notes) {
    const name = given.get("preset") || "";
    given.delete("preset");
    if (!name || presetOf(name)) return name;
    notes.push(`There is no preset “${name.slice(0, 40)}”.`);
    return "";
  }

  /** Drop a table that cannot be read; without a preset the rest of its law goes with it. */
  function checkTable(given, preset, notes) {
    const { why } = given.has("p") ? readTable(given.get("p")) : {};
    if (why) {
      notes.push(`The table of this link ${why}; ${preset ? "the preset's own is shown" : "the page opens as usual"}.`);
      for (const key of preset ? ["p"] : LAW_KEYS) given.delete(key);
    }
    if (given.has("p") && !given.has("mode")) given.set("mode", "table");
  }

  /** Read all keys into the state, in the order of FIELDS: rho is read once the mode is known. */
  function readFields(given, state, notes) {
    for (const { key, field, read } of FIELDS) {
      if (!given.has(key)) continue;
      const value = read(given.get(key), notes, state);
      if (value === undefined) notes.push(`“${key}=${given.get(key).slice(0, 40)}” cannot be read and was left out.`);
      else state[field] = value;
    }
    for (const key of given.keys()) if (!KNOWN.has(key)) notes.push(`“${key.slice(0, 40)}” is no setting of this page.`);
  }

  /**
   * Link fragment -> {state, notes}: a note for everything that could not be taken as it was.
   *
   * `limits` is what the page has: `epochs`, the last recorded epoch; `parts`, the names that hide=
   * may give; `arms`, the ids that arms= may give. What is left open is not checked.
   */
  function fromHash(hash, limits = {}) {
    const notes = [];
    const given = keysOf(hash, notes);
    addStep(given);
    const state = presetState(takePreset(given, notes));
    checkTable(given, state.preset, notes);
    readFields(given, state, notes);
    within(state, limits, notes);
    return { state: consistent(state, !given.has("rho")), notes };
  }

  // ------------------------------------------------------------------ a state that can be shown

  /** Whether the law is of the preset's making: a moved slider keeps its name. */
  function samePreset(state) {
    const start = presetState(state.preset);
    if (start.mode !== state.mode) return false;
    return state.mode === "images"
      ? start.task === state.task && start.gate === state.gate
      : encodeTable(start.base) === encodeTable(state.base);
  }

  /** Keep to what the page has. */
  function within(state, { epochs, parts, arms }, notes) {
    if (epochs !== undefined && state.epoch > epochs) {
      notes.push(`There is no recorded epoch ${state.epoch}: set to ${epochs}, the last one.`);
      state.epoch = epochs;
    }
    const keep = (field, known, words) => {
      const unknown = state[field].filter((name) => !known.includes(name));
      if (!unknown.length) return;
      notes.push(`${words} “${unknown.join(", ").slice(0, 60)}”: left out.`);
      state[field] = state[field].filter((name) => known.includes(name));
    };
    if (parts) keep("hide", [...ATOMS, ...parts], "This page has no part");
    if (arms) keep("arms", arms, "There is no recorded run");
  }

  /** A table state needs a table, an image state a match rate, and a preset's name its law. */
  function consistent(state, rateLeftOpen) {
    if (state.mode === "table" && !state.base)
      Object.assign(state, { preset: "xor", base: PRESETS.xor.state.base, rho: rateLeftOpen ? null : state.rho });
    if (state.mode === "images") state.base = null;
    if (state.preset && !samePreset(state)) state.preset = "";
    if (state.mode === "table" && !state.preset && rateLeftOpen) state.rho = null;
    if (state.mode === "images" && state.rho === null) state.rho = DEFAULTS.rho;
    return state;
  }

  return { toHash, fromHash, same, samePreset };
})();

if (typeof module !== "undefined") module.exports = State;
