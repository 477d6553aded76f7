/* What the page can show, as values: the state and its link, the ten beliefs, sentences, programs.
 *
 * No document here either: everything is a function of a state, and node tests it.
 */
const World = (() => {
  "use strict";

  const C = typeof module !== "undefined" ? require("./core.js") : Core;
  const ATOMS = ["R", "U1", "U2", "S"];
  const NAMES = { R: "redundancy R", U1: "unique U1", U2: "unique U2", S: "synergy S" };
  const LARGEST = { N: 4, M: 4, K: 8 }; // of a table that can be edited

  // ------------------------------------------------------------------ numbers in words

  /** Three decimals, or a whole number where it is one; no sign on zero: 0, 0.737, 1. */
  const bits = (x) => {
    const whole = Math.round(x) || 0; // no -0
    const text = Math.abs(x - whole) < 5e-7 ? String(whole) : x.toFixed(3).replace(/^-0\.000$/, "0.000");
    return text.replace("-", "−");
  };
  const inBits = (x) => `${bits(x)} ${bits(x) === "1" ? "bit" : "bits"}`;
  const percent = (x) => `${+(100 * x).toFixed(1)} %`;

  // ------------------------------------------------------------------ presets

  const AND = "000 010 100 111";
  const images = (task, k, rho, e = 0) => ({ mode: "images", task, k, rho, e });
  const gate = (support, more) => ({ mode: "table", base: C.uniform(support), rho: null, e: 0, ...more });

  /** Two independent looks at a fair bit, each wrong at a rate. */
  const looks = (e) => C.fill(2, 2, 2, (i, j, k) => 0.5 * (i === k ? 1 - e : e) * (j === k ? 1 - e : e));

  const BELIEFS = [
    {
      id: "correlated", belief: "Redundancy is how much the two sources have in common.",
      answer: "X1 = (a, c), X2 = c, Y = a. The sources share the bit c, and yet they have no redundancy about Y: c tells nothing about a.",
      names: "X1 = (a, c) · X2 = c · Y = a", gallery: "CORRELATED",
      state: gate("000 110 201 311"), also: "and",
    },
    {
      id: "xor", belief: "A source that tells nothing alone can be dropped.",
      answer: "XOR: Y says whether the two bits differ. Either alone tells nothing; both together tell all. Drop one and everything is gone.",
      names: "Y = X1 xor X2", gallery: "XOR", state: gate("000 011 101 110"),
    },
    {
      id: "rdnxor", belief: "Equal R and S are a bug, and a co-information of 0 means that there is neither.",
      answer: "X1 = (r, a), X2 = (r, b), Y = (r, a xor b): one redundant bit and one synergistic bit. Co-information is R − S = 0 and hides both.",
      names: "X1 = (r, a) · X2 = (r, b) · Y = (r, a xor b)", gallery: "RDNXOR",
      state: gate("000 011 101 110 222 233 323 332"),
    },
    {
      id: "and", belief: "Minus the co-information is the synergy.",
      answer: "AND: co-information is −0.189, but the synergy is 0.5. Co-information is R − S, and here R is not 0.",
      names: "Y = X1 and X2", gallery: "AND", state: gate(AND),
    },
    {
      id: "and-swapped", belief: "The target is just a third variable.",
      answer: "AND again, asked the other way: the target is the first input, the sources are the second input and the output. Same law, other atoms. So always say “about Y”.",
      names: "X1 = second input · X2 = output · Y = first input", gallery: "AND-SWAPPED", state: gate("000 100 001 111"),
    },
    {
      id: "ablation", belief: "What is lost when a source is left out is its unique information.",
      answer: "XOR: leaving out either source costs 1 bit, and neither has any unique information. What is lost is U + S.",
      names: "Y = X1 xor X2", gallery: "XOR", state: gate("000 011 101 110"),
    },
    {
      id: "copy", belief: "There is only one way to split the information.",
      answer: "Y = (X1, X2), two independent bits. BROJA calls each unique; I_min calls one bit redundant and one synergistic. A definition has to be chosen and named.",
      names: "Y = (X1, X2)", gallery: "COPY", state: gate("000 011 102 113", { compare: true }),
    },
    {
      id: "two-looks", belief: "Synergy needs a rule like XOR.",
      answer: "Two independent noisy looks at one fair bit, each wrong one time in ten. Two looks that agree are surer than one: that is synergy.",
      names: "X1, X2 = Y, each wrong at rate .1", gallery: "TWO-LOOKS",
      state: { mode: "table", base: looks(0.1), rho: null, e: 0 },
    },
    {
      id: "half-match", belief: "If half the pairs match, half the information is redundant.",
      answer: "Ten textures; the color of image 2 keeps the map to the texture of image 1 in half the pairs. Of 3.322 bits about that texture, only 0.737 are redundant.",
      names: "Y = texture of image 1", state: images("texture1", 10, 0.5),
    },
    {
      id: "independent", belief: "An estimate above zero is in the data.",
      answer: "Three independent variables of four values: every atom is 0. Counted from 64 samples, a table says 0.42 bits of synergy on average. That is bias, and it shrinks as 1/n: choose more samples.",
      names: "X1, X2, Y independent", gallery: "INDEPENDENT",
      state: { mode: "table", base: C.fill(4, 4, 4, () => 1 / 64), rho: null, e: 0, n: 64 },
    },
  ];

  const simple = (id, names, support, answer, gallery = id.toUpperCase()) =>
    ({ id, names, answer, gallery, state: gate(support) });

  const GATES = [
    simple("rdn", "X1 = X2 = Y", "000 111", "Both sources are copies of the target bit: all of it is redundant."),
    simple("unq1", "Y = X1", "000 010 101 111", "The target is X1, and X2 is noise: all of it is unique to X1."),
    simple("unq2", "Y = X2", "000 011 100 111", "The target is X2, and X1 is noise: all of it is unique to X2."),
    simple("or", "Y = X1 or X2", "000 011 101 111", "AND with all bits turned over, and the same atoms."),
    simple("sum", "Y = X1 + X2", "000 011 101 112", "Adding two bits: half a bit is redundant, one is synergy."),
    simple("pwunq", "one source is silent", "011 101 022 202", "In each outcome one source is silent and the other tells. Some definitions call that unique; BROJA does not."),
    simple("w", "one of three bits is set", "001 010 100", "Exactly one of X1, X2 and Y is 1."),
    simple("diff", "DIFF", "000 001 010 101", "No synergy: what the two sources tell overlaps in part."),
    simple("wb1", "each singles out one value", "000 011 102", "Williams and Beer's first example: each source singles out one value of three."),
    simple("wb2", "WB2", "000 011 102 111", "Williams and Beer's second example: both sources have unique information, unequal."),
    simple("boom", "BOOM", "001 002 020 121 202 212", "All four atoms at once, on three values."),
    {
      id: "images", names: "does the color of image 2 match the texture of image 1?",
      answer: "The question the page opens with.", state: images("match", 5, 0.5),
    },
    {
      id: "biased", names: "training pairs that all keep the map",
      answer: "Every pair keeps the map: the match label is constant, so there is nothing to tell about it, and texture 1 is fully redundant with color 2.",
      state: images("texture1", 5, 1),
    },
    {
      id: "unbiased", names: "test pairs: the map is kept by chance",
      answer: "Texture and color are independent: one pair in five keeps the map. Texture 1 is unique to image 1.",
      state: images("texture1", 5, 0.2),
    },
  ];

  const PRESETS = Object.fromEntries([...BELIEFS, ...GATES].map((preset) => [preset.id, preset]));

  // ------------------------------------------------------------------ the state

  const DEFAULTS = {
    preset: "", mode: "images", task: "match", k: 5, rho: 0.5, e: 0, base: null,
    seed: 1, map: 1, mark: true, compare: false, n: 0,
    guess: false, g: [0, 0, 0, 0], shown: false,
    off: [], epoch: -1, unit: "bits", hide: [],
  };

  const SAMPLE_SIZES = [0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

  /** The state of a preset, all else as it is when the page opens. */
  const presetState = (id) => ({ ...DEFAULTS, ...(PRESETS[id] ? PRESETS[id].state : {}), preset: PRESETS[id] ? id : "" });

  /** Twelve digits keep a table's sum within 1e-10 of 1. */
  const short = (x) => (Number.isFinite(x) ? String(+x.toPrecision(12)).replace(/^(-?)0\./, "$1.") : "x");
  const encodeTable = (t) => `${t.N}x${t.M}x${t.K}_${Array.from(t.p, short).join(",")}`;

  function decodeTable(text) {
    const found = /^(\d+)x(\d+)x(\d+)_(.*)$/.exec(text);
    if (!found) return null;
    const [N, M, K] = found.slice(1, 4).map(Number);
    const cells = found[4].split(",").map((cell) => (cell === "" || cell === "x" ? NaN : Number(cell)));
    const fits = N >= 1 && M >= 1 && K >= 1 && N <= LARGEST.N && M <= LARGEST.M && K <= LARGEST.K;
    return fits && cells.length === N * M * K ? C.table(N, M, K, cells) : null;
  }

  /** How every key of the link is read and written. `read` returns undefined for nonsense. */
  const number = (name, words, low, high, whole = false) => ({
    key: name,
    write: (x) => (x === null ? "as-is" : short(x)),
    read: (text, notes, state) => {
      if (text === "as-is" && name === "rho" && state.mode === "table") return null;
      const x = text.trim() === "" ? NaN : Number(text);
      if (!Number.isFinite(x)) return undefined;
      const kept = Math.min(high, Math.max(low, whole ? Math.round(x) : x));
      if (kept !== x) notes.push(`${words} ${text} is not ${whole ? "a whole number " : ""}from ${low} to ${high}: set to ${kept}.`);
      return kept;
    },
  });
  const choice = (name, options) => ({
    key: name, write: String, read: (text) => options.find((option) => String(option) === text),
  });
  const flag = (name, key = name) => ({
    key, field: name, write: (x) => (x ? "1" : "0"), read: (text) => ({ 1: true, 0: false })[text],
  });
  const list = (name) => ({
    key: name, write: (words) => words.join(","),
    read: (text) => (/^[\w+.,() \u03A3-]*$/.test(text) ? text.split(",").filter(Boolean) : undefined),
  });

  const FIELDS = [
    { key: "mode", ...choice("mode", ["images", "table"]) },
    { key: "p", field: "base", write: encodeTable, read: (text) => decodeTable(text) || undefined },
    choice("task", C.TASKS),
    number("k", "Classes:", 2, 10, true),
    number("rho", "Match rate", 0, 1),
    number("e", "Label noise", 0, 0.5),
    number("seed", "Seed", 1, 999999, true),
    number("map", "Map", 0, 9999, true),
    flag("mark"), flag("compare"), choice("n", SAMPLE_SIZES),
    flag("guess"),
    {
      key: "g", write: (g) => g.map(short).join(","),
      read: (text, notes) => {
        const g = text.split(",").map(Number);
        if (g.length !== 4 || !g.every(Number.isFinite)) return undefined;
        const kept = g.map((x) => Math.min(4, Math.max(0, x)));
        if (kept.some((x, c) => x !== g[c])) notes.push("A guess outside 0 to 4 bits was moved to the nearest end.");
        return kept;
      },
    },
    flag("shown"), list("off"), number("epoch", "Recorded epoch", -1, 1000, true), choice("unit", ["bits", "accuracy"]), list("hide"),
  ].map((field) => ({ field: field.key, ...field }));

  const same = (x, y) => JSON.stringify(x instanceof Object && x.p ? encodeTable(x) : x) === JSON.stringify(y instanceof Object && y && y.p ? encodeTable(y) : y);

  /** State -> link fragment: the preset's name and what differs from it. */
  function toHash(state) {
    const start = presetState(state.preset);
    if (state.mode === "table" && !state.preset) Object.assign(start, { mode: "images", rho: null });
    const parts = state.preset ? [`preset=${state.preset}`] : [];
    for (const { key, field, write } of FIELDS)
      if (!same(state[field], start[field]) && !(field === "base" && !state.base)) parts.push(`${key}=${encodeURIComponent(write(state[field])).replace(/%2C/g, ",")}`);
    return parts.join("&");
  }

  /** Link fragment -> state, and a note for everything that could not be taken as it was. */
  function fromHash(hash) {
    const notes = [];
    const given = new Map();
    for (const part of hash.replace(/^#/, "").split("&").filter(Boolean)) {
      const at = part.indexOf("=");
      let value = at < 0 ? "" : part.slice(at + 1);
      try { value = decodeURIComponent(value); } catch { /* a broken escape is read as it stands */ }
      given.set(at < 0 ? part : part.slice(0, at), value);
    }
    const name = given.get("preset") || "";
    if (name && !PRESETS[name]) notes.push(`There is no preset “${name.slice(0, 40)}”.`);
    given.delete("preset");
    const state = presetState(name);
    if (given.has("p") && !given.has("mode")) given.set("mode", "table");
    const rated = given.has("rho");
    for (const { key, field, read } of FIELDS) {
      if (!given.has(key)) continue;
      const value = read(given.get(key), notes, state);
      if (value === undefined) notes.push(`“${key}=${given.get(key).slice(0, 40)}” cannot be read and was left out.`);
      else state[field] = value;
      given.delete(key);
    }
    for (const key of given.keys()) notes.push(`“${key.slice(0, 40)}” is no setting of this page.`);
    return { state: consistent(state, !rated), notes };
  }

  /** A table state needs a table, and an image state a match rate. */
  function consistent(state, rateLeftOpen) {
    if (state.mode === "table" && !state.base) state.base = C.uniform("000 011 101 110");
    if (state.mode === "table" && !state.preset && rateLeftOpen) state.rho = null;
    if (state.mode === "images" && state.rho === null) state.rho = DEFAULTS.rho;
    if (state.mode === "images") state.base = null;
    return state;
  }

  // ------------------------------------------------------------------ a state's law

  /** The table in force. */
  function tableOf(state) {
    if (state.mode === "images") return C.taskTable(state.task, state.k, state.rho, state.e);
    if (C.problem(state.base)) return state.base;
    return C.withNoise(C.withMatch(state.base, state.rho), state.e);
  }

  /** The atoms in force, or null where the table is none. */
  function atomsOf(state) {
    if (state.mode === "images") return C.taskAtoms(state.task, state.k, state.rho, state.e);
    const t = tableOf(state);
    return C.problem(t) ? null : C.broja(t);
  }

  /** Atoms under every measure at hand. */
  function measuresOf(state) {
    const t = tableOf(state);
    return { BROJA: atomsOf(state), I_min: C.iMin(t), MMI: C.mmi(t) };
  }

  // ------------------------------------------------------------------ sentences

  const SOURCES = {
    shape: ["image 1", "image 2"], texture1: ["image 1", "image 2"],
    texture2: ["image 1", "image 2"], match: ["image 1", "image 2"],
  };
  const QUESTIONS = {
    shape: "the shape that both images share", texture1: "the texture of image 1",
    texture2: "the texture of image 2", match: "whether the color of image 2 matches the texture of image 1",
  };
  const TASK_NAMES = { shape: "shape", texture1: "texture 1", texture2: "texture 2", match: "match" };

  const sources = (state) => (state.mode === "images" ? SOURCES[state.task] : ["X1", "X2"]);
  const target = (state) => (state.mode === "images" ? QUESTIONS[state.task] : "Y");

  /** What each part is, in the words of the present sources: "unique to image 1". */
  function parts(state, atoms) {
    const [one, two] = sources(state);
    const words = {
      R: "redundant (either tells it)", U1: `unique to ${one}`,
      U2: `unique to ${two}`, S: "synergy (only both together tell it)",
    };
    return ATOMS.filter((name) => Math.abs(atoms[name]) >= 5e-4).map((name) => [name, words[name]]);
  }

  /** The sentence under the title: what the present law tells, with its numbers. */
  function sentence(state, atoms) {
    if (!atoms) return `This is no probability table: ${C.problem(state.base)}. Its parts are not shown until it is one.`;
    if (state.guess && !state.shown) return `Your turn: how is the information about ${target(state)} split? Set the four parts, then reveal.`;
    if (ATOMS.some((name) => state.hide.includes(name))) return `Part of the answer about ${target(state)} is hidden: work it out first.`;
    const [one, two] = sources(state);
    const present = parts(state, atoms);
    if (!present.length) return `About ${target(state)} there is nothing to tell: ${one} and ${two} have 0 bits about it, together as well.`;
    const opening = `About ${target(state)}, ${one} alone tells ${inBits(atoms.R + atoms.U1)}, ${two} alone ${inBits(atoms.R + atoms.U2)}, and both together ${inBits(atoms.total)}.`;
    if (present.length === 1) {
      const whole = {
        R: "All of it is redundant: either tells it.", U1: `All of it is unique to ${one}.`,
        U2: `All of it is unique to ${two}.`, S: "All of it is synergy: only both together tell it.",
      };
      return `${opening} ${whole[present[0][0]]}`;
    }
    const pieces = present.map(([name, words]) => `${inBits(atoms[name])} ${words}`);
    pieces[0] = pieces[0].replace(/ (bits?) /, (_, unit) => ` ${unit} ${unit === "bit" ? "is" : "are"} `);
    return `${opening} Of this, ${pieces.slice(0, -1).join(", ")} and ${pieces[pieces.length - 1]}.`;
  }

  /** What one part means here: the text behind a hover, a tap or a focused legend button. */
  function explain(state, atoms, name, task = state.task) {
    const here = state.mode === "images" ? { ...state, task } : state;
    const [one, two] = sources(here);
    const about = target(here);
    const size = inBits(atoms[name]);
    const noise = state.e ? ` Label noise of ${percent(state.e)} has already taken its share.` : "";
    const general = {
      R: `Redundancy about ${about}: ${size} that ${one} tells and ${two} tells as well.`,
      U1: `Unique to ${one}: ${size} about ${about} that ${two} cannot tell.`,
      U2: `Unique to ${two}: ${size} about ${about} that ${one} cannot tell.`,
      S: `Synergy about ${about}: ${size} that neither tells alone and both together do.`,
    };
    return general[name] + (state.mode === "images" ? reason(here, atoms, name) : "") + noise;
  }

  function reason(state, atoms, name) {
    const chance = 1 / state.k;
    if (state.task === "match" && name === "S")
      return state.rho === 0 || state.rho === 1
        ? " The label is the same for every pair, so there is nothing to tell."
        : ` Its size is the label's own entropy at a match rate of ${percent(state.rho)}: not how hard the question is.`;
    if (state.task === "texture1" && name === "R")
      return Math.abs(state.rho - chance) < 1e-9
        ? " The color of image 2 keeps the map only by chance, so it says nothing."
        : ` The color of image 2 hints at the texture of image 1, through the map, in ${percent(state.rho)} of the pairs.`;
    if (state.task === "texture1" && name === "U1") return " What the color of image 2 leaves open.";
    if (state.task === "shape" && name === "R") return " Both images show the same shape.";
    if (state.task === "texture2" && name === "U2") return " Nothing in image 1 depends on the texture of image 2.";
    return "";
  }

  /** Where the definitions part, in a sentence. */
  function partSentence(measures) {
    const differing = ["I_min", "MMI"].filter((name) => Math.abs(measures[name].R - measures.BROJA.R) >= 5e-4);
    if (!differing.length) return "BROJA, I_min and MMI agree here.";
    const R = (name) => inBits(measures[name].R);
    const alike = differing.length === 2 && R("I_min") === R("MMI");
    const words = alike ? `I_min and MMI call ${R("MMI")} redundant` : differing.map((name) => `${name} calls ${R(name)} redundant`).join(", ");
    return `They part here: ${words}; BROJA calls ${R("BROJA")} redundant. ` +
      "I_min and MMI compare how much is told, BROJA whether it is the same information.";
  }

  // ------------------------------------------------------------------ predict, then reveal

  /** The decompositions that typical beliefs would give for this state: [belief, four bits]. */
  function beliefGuesses(state, atoms) {
    const t = tableOf(state);
    const terms = C.informations(t);
    const both = terms.joint;
    const guesses = [
      ["redundancy is how much the sources have in common", [Math.min(terms.between, both), atoms.U1, atoms.U2, atoms.S]],
      ["a source that tells nothing alone can be dropped", [atoms.R, atoms.U1, atoms.U2, 0]],
      ["co-information 0 means that there is neither redundancy nor synergy", [Math.max(0, atoms.R - atoms.S), atoms.U1, atoms.U2, Math.max(0, atoms.S - atoms.R)]],
      ["what is lost when a source is left out is its unique information", [atoms.R, atoms.U1 + atoms.S, atoms.U2 + atoms.S, 0]],
      ["everything that both sources tell is redundant (the definition I_min)", ATOMS.map((name) => C.iMin(t)[name])],
    ];
    if (state.mode === "images") guesses.push([
      "the match rate is the share that is redundant",
      [state.rho * both, (1 - state.rho) * both, 0, 0],
    ]);
    else for (const other of C.otherTargets(t).map((law) => C.broja(law)))
      guesses.push(["the target is just a third variable", ATOMS.map((name) => other[name])]);
    return guesses;
  }

  const distance = (x, y) => x.reduce((total, value, c) => total + Math.abs(value - y[c]), 0);

  /** The guess judged: how many bits it is off, and the belief that would explain it. */
  function judge(state, atoms) {
    const truth = ATOMS.map((name) => atoms[name]);
    const off = distance(state.g, truth);
    const near = beliefGuesses(state, atoms)
      .filter(([, guess]) => distance(guess, truth) > 0.15)
      .map(([belief, guess]) => [belief, distance(state.g, guess)])
      .sort((x, y) => x[1] - y[1])[0];
    const belief = near && near[1] < 0.12 && near[1] < off ? near[0] : "";
    const verdict = off < 0.05 ? "Exactly right" : off < 0.25 ? "Close" : "Not this time";
    return { off, belief, text: `${verdict}: your four parts are ${inBits(off)} off in all.` +
      (belief ? ` Your answer is what follows if one believes that ${belief}. It is a common belief, and this example dispels it.` : "") };
  }

  // ------------------------------------------------------------------ programs

  const python = (x) => String(+x.toPrecision(15));

  /** The package's call for the present law. */
  function program(state) {
    if (state.guess && !state.shown) return "# Make your prediction first: the program appears with the answer.";
    const law = state.mode === "images" ? imageProgram(state) : tableProgram(state);
    const named = law.some((line) => line.includes("gallery_table"));
    const opening = law[0].startsWith("import") ? [law.shift(), ""] : [];
    opening.push(`from trifeature.pid import broja${named ? ", gallery_table" : ""}`, "");
    return [...opening, ...law, "", "atoms = broja(p)", "print(atoms.values)  # R, U1, U2, S in bits"].join("\n");
  }

  function imageProgram({ task, k, rho, e }) {
    const example = { texture1: "MATCH-UNIQUE", match: "MATCH-LABEL" }[task];
    if (example && !e) return [`p = gallery_table("${example}", values=${k}, rate=${python(rho)})`];
    const rules = {
      shape: ["K", "(x1 == x2) & (x2 == y)", "1 / K"],
      texture2: ["K", "x2 == y", "1 / K**2"],
      texture1: ["K", "x1 == y", "pairs"],
      match: ["2", "(x1 == x2) == (y == 1)", "pairs"],
    };
    const [labels, rule, value] = rules[task];
    return [
      "import numpy as np", `K, rate, noise = ${k}, ${python(rho)}, ${python(e)}`,
      `x1, x2, y = np.indices((K, K, ${labels}))`,
      ...(value === "pairs" ? ["pairs = np.where(x1 == x2, rate / K, (1 - rate) / (K * (K - 1)))"] : []),
      `p = np.where(${rule}, ${value}, 0)`,
      ...(e ? [`p = (1 - noise) * p + noise * (p.sum(2, keepdims=True) - p) / (${labels} - 1)`] : []),
    ];
  }

  function tableProgram(state) {
    const preset = PRESETS[state.preset];
    if (preset && preset.gallery && state.rho === null && !state.e && same(state.base, preset.state.base))
      return [`p = gallery_table("${preset.gallery}")`];
    const t = tableOf(state);
    const rows = [];
    for (let i = 0; i < t.N; i++) {
      const cells = [];
      for (let j = 0; j < t.M; j++)
        cells.push(`[${Array.from(t.p.subarray((i * t.M + j) * t.K, (i * t.M + j + 1) * t.K), python).join(", ")}]`);
      rows.push(`    [${cells.join(", ")}],`);
    }
    return ["p = [  # p[x1][x2][y]", ...rows, "]"];
  }

  // ------------------------------------------------------------------ a table of one's own

  /** Read a pasted table: nested brackets, lines "x1 x2 y p", or outcomes "000 011 101 110".
   *  Throws an Error that says what is wrong. */
  function readPasted(text) {
    const trimmed = text.trim();
    if (!trimmed) throw new Error("There is nothing to read yet.");
    const t = trimmed.startsWith("[") ? fromBrackets(trimmed) : fromLines(trimmed);
    if (t.N > LARGEST.N || t.M > LARGEST.M || t.K > LARGEST.K)
      throw new Error(`The page takes at most ${LARGEST.N} × ${LARGEST.M} × ${LARGEST.K} values, this has ${t.N} × ${t.M} × ${t.K}. The package's broja takes any size.`);
    if (t.p.some((x) => !Number.isFinite(x) || x < 0)) throw new Error("Every entry must be a number of at least 0.");
    if (!t.p.some((x) => x > 0)) throw new Error("All entries are 0.");
    return C.normalized(t);
  }

  function fromBrackets(text) {
    let nested;
    try { nested = JSON.parse(text.replace(/\(/g, "[").replace(/\)/g, "]").replace(/,\s*\]/g, "]").replace(/([[,\s-])\.(\d)/g, "$10.$2")); } catch {
      throw new Error("The brackets cannot be read: write [[[p, p], [p, p]], [[p, p], [p, p]]].");
    }
    const shape = [nested.length, nested[0]?.length, nested[0]?.[0]?.length];
    const even = shape.every((n) => n > 0) && nested.every((rows) => rows.length === shape[1] && rows.every((cells) => cells.length === shape[2]));
    if (!even) throw new Error("The brackets must be three deep and of even length: p[x1][x2][y].");
    return C.table(...shape, nested.flat(2).map((x) => (typeof x === "number" ? x : NaN)));
  }

  function fromLines(text) {
    if (/^(\d{3}[\s,]+)*\d{3}$/.test(text)) return C.uniform(text.replace(/,/g, " "));
    const rows = text.split("\n").map((line) => line.split(/[\s,;]+/).filter(Boolean)).filter((words) => words.length);
    if (rows.length && rows[0].some((word) => !Number.isFinite(Number(word)))) rows.shift(); // a header
    const axes = [[], [], []];
    const index = (axis, word) => {
      const at = axes[axis].indexOf(word);
      return at >= 0 ? at : axes[axis].push(word) - 1;
    };
    for (const words of rows) {
      if (words.length !== 4 && words.length !== 3) throw new Error(`A line is “x1 x2 y p” or “x1 x2 y”; this one has ${words.length} entries: ${words.join(" ").slice(0, 40)}`);
      words.slice(0, 3).forEach((word, axis) => index(axis, word));
    }
    if (!rows.length) throw new Error("There is no line to read.");
    axes.forEach((values) => values.sort((x, y) => Number(x) - Number(y)));
    const t = C.table(axes[0].length, axes[1].length, axes[2].length);
    for (const words of rows) {
      const [i, j, k] = [0, 1, 2].map((axis) => index(axis, words[axis]));
      t.p[(i * t.M + j) * t.K + k] += words.length === 4 ? Number(words[3]) : 1;
    }
    return t;
  }

  // ------------------------------------------------------------------ exercises

  const near = (x, y, by = 0.01) => Math.abs(x - y) <= by;
  const EXERCISES = [
    {
      id: "one-bit", text: "Ten classes. Find the match rate at which exactly 1 bit about texture 1 is redundant (to 0.02).",
      start: "task=texture1&k=10", solution: "task=texture1&k=10&rho=0.58",
      done: (state, atoms) => state.mode === "images" && state.task === "texture1" && state.k === 10 && near(atoms.R, 1, 0.02),
    },
    {
      id: "vanish", text: "Take the match question and make its synergy vanish without any label noise.",
      start: "task=match", solution: "task=match&rho=1",
      done: (state, atoms) => state.mode === "images" && state.task === "match" && state.e === 0 && near(atoms.S, 0, 1e-6),
    },
    {
      id: "half-xor", text: "Start from XOR. Add label noise until half a bit of synergy is left (to 0.01).",
      start: "preset=xor", solution: "preset=xor&e=0.11",
      done: (state, atoms) => state.mode === "table" && near(atoms.S, 0.5) && near(atoms.total, atoms.S, 1e-6),
    },
    {
      id: "both-unique", text: "Edit a table of two bits a source so that U1 and U2 are both above 0.1 bits and S is 0 (to 0.001).",
      start: "preset=xor", solution: "preset=diff",
      done: (state, atoms) => state.mode === "table" && state.base.N <= 2 && state.base.M <= 2 && atoms.U1 > 0.1 && atoms.U2 > 0.1 && near(atoms.S, 0, 0.001),
    },
    {
      id: "agree", text: "COPY with bits that agree in 9 of 10 cases: how much has become redundant? Make it so and read it.",
      start: "preset=copy", solution: "preset=copy&rho=0.9",
      done: (state, atoms) => state.mode === "table" && state.base.K === 4 && near(atoms.R, 1 - C.h(0.9), 0.002),
    },
  ];

  return {
    ATOMS, NAMES, BELIEFS, GATES, PRESETS, DEFAULTS, SAMPLE_SIZES, EXERCISES, LARGEST, QUESTIONS, TASK_NAMES,
    bits, inBits, percent, presetState, toHash, fromHash, tableOf, atomsOf, measuresOf, sources, target,
    sentence, explain, partSentence, judge, beliefGuesses, program, readPasted, encodeTable, decodeTable,
  };
})();

if (typeof module !== "undefined") module.exports = World;
