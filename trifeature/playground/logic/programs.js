/* The Python program of a state, and whatever text a reader pastes: a program, a link, a table.
 *
 * It needs core.js, laws.js, table_text.js, presets.js and state.js.
 */
const Programs = (() => {
  "use strict";

  const inNode = typeof module !== "undefined";
  const C = inNode ? require("./core.js") : Core;
  const { tableOf } = inNode ? require("./laws.js") : Laws;
  const { usable, fromBrackets, fromLines } = inNode ? require("./table_text.js") : TableText;
  const { PRESETS, presetOf, presetState } = inNode ? require("./presets.js") : Presets;
  const { fromHash, same } = inNode ? require("./state.js") : State;

  // ------------------------------------------------------------------ written

  /** A number as Python reads it. */
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

  /** NumPy's words for a gate's label, from the numbers x1 and x2. */
  const GATE_CODE = {
    match: "(x1 == x2) == (y == 1)", parity: "y == (x1 % 2) ^ (x2 % 2)",
    sum: "y == (x1 + x2) % K", and: "y == (x1 % 2) & (x2 % 2)",
  };

  /** The lines that make p of an image task, the line with the numbers second. */
  function imageProgram({ task, gate: rule, k, rho, share, e }) {
    const example = { texture1: "MATCH-UNIQUE", match: "MATCH-LABEL" }[task];
    if (example && rule === "match" && !e) return [`p = gallery_table("${example}", values=${k}, rate=${python(rho)})`];
    const rated = task === "shape" ? share < 1 : task !== "texture2" && rule === "match";
    const rules = {
      shape: rated ? "x1 == y" : "(x1 == x2) & (x2 == y)",
      texture1: "x1 == y", texture2: "x2 == y", match: GATE_CODE[rule],
    };
    const labels = task === "match" && rule !== "sum" ? "2" : "K";
    const value = rated ? "pairs" : task === "shape" ? "1 / K" : "1 / K**2";
    return [
      "import numpy as np", `K, rate, noise = ${k}, ${python(task === "shape" ? share : rho)}, ${python(e)}`,
      `x1, x2, y = np.indices((K, K, ${labels}))`,
      ...(rated ? ["pairs = np.where(x1 == x2, rate / K, (1 - rate) / (K * (K - 1)))"] : []),
      `p = np.where(${rules[task]}, ${value}, 0)`,
      ...(e ? [`p = (1 - noise) * p + noise * (p.sum(2, keepdims=True) - p) / (${labels} - 1)`] : []),
    ];
  }

  /** The lines that make p of a table: the gallery's name where it has one, else the cells. */
  function tableProgram(state) {
    const preset = presetOf(state.preset);
    if (preset && preset.gallery && state.rho === null && !state.e && same(state.base, preset.state.base))
      return [`p = gallery_table("${preset.gallery}")`];
    const t = tableOf(state);
    const cells = (i, j) => Array.from(t.p.subarray((i * t.M + j) * t.K, (i * t.M + j + 1) * t.K), python);
    const row = (i) => Array.from({ length: t.M }, (_, j) => `[${cells(i, j).join(", ")}]`).join(", ");
    const rows = Array.from({ length: t.N }, (_, i) => `    [${row(i)}],`);
    return ["p = [  # p[x1][x2][y]", ...rows, "]"];
  }

  // ------------------------------------------------------------------ read

  /** Read a pasted table: nested brackets, lines "x1 x2 y p", outcomes "000 011 101 110", or the
   *  Python that the page writes. Throws an Error that says what is wrong. */
  function readPasted(text) {
    const { table, state } = readAny(text);
    if (table) return table;
    const t = tableOf(state);
    if (C.problem(t)) throw new Error(`The link's table is no probability table: ${C.problem(t)}.`);
    return usable(t);
  }

  /**
   * Read whatever a reader pastes: {table}, or {state, notes} of a link to the page, of a gallery's
   * name, or of an image program that the page wrote. `limits` as in fromHash.
   */
  function readAny(text, limits = {}) {
    const trimmed = text.trim();
    if (!trimmed) throw new Error("There is nothing to read yet.");
    if (/^(https?|file):\S*$/.test(trimmed) && !trimmed.includes("#")) throw new Error("This link holds no state: copy one with “Copy link”, which has a #.");
    if (/^((https?|file):\S*)?#\S*$/.test(trimmed)) return fromHash(trimmed.slice(trimmed.indexOf("#")), limits);
    if (/gallery_table\s*\(|^\s*(import|from)\s|^\s*\w+\s*=[^=]/m.test(trimmed)) return fromPython(trimmed);
    return { table: usable(/^[[(]|^(np\.|numpy\.|torch\.)?(array|tensor)\(/.test(trimmed) ? fromBrackets(trimmed) : fromLines(trimmed)) };
  }

  /** Read a program: a gallery's table, a table in brackets, or an image program of the page. */
  function fromPython(text) {
    const code = text.replace(/#.*$/gm, "");
    const named = /gallery_table\s*\(\s*["']([^"']*)["']([^)]*)\)/.exec(code);
    if (named) return { state: fromGallery(named[1].toUpperCase(), named[2]), notes: [] };
    const state = fromImageProgram(code);
    if (state) return { state, notes: [] };
    const start = /^\s*\w+\s*=\s*(?=\[|\(\s*[[(]|(?:np\.|numpy\.|torch\.)?(?:array|tensor)\()/m.exec(code);
    if (start) return { table: usable(fromBrackets(closed(code.slice(start.index + start[0].length)))) };
    throw new Error("This program cannot be read here: paste what print(p.tolist()) writes, the table in brackets.");
  }

  /** The text up to the bracket that closes its first one. */
  function closed(text) {
    let depth = 0;
    for (let at = 0; at < text.length; at++) {
      if ("[(".includes(text[at])) depth++;
      if ("])".includes(text[at]) && --depth === 0) return text.slice(0, at + 1);
    }
    throw new Error("A bracket is not closed.");
  }

  /** The state of gallery_table(name, rest). */
  function fromGallery(name, rest) {
    const task = { "MATCH-LABEL": "match", "MATCH-UNIQUE": "texture1" };
    const given = Object.fromEntries([...rest.matchAll(/(\w+)\s*=\s*([^\s,]+)/g)].map(([, key, value]) => [key, Number(value)]));
    if (Object.hasOwn(task, name)) {
      const { values: k = 10, rate: rho = 0.5, ...others } = given;
      const fits = Number.isInteger(k) && k >= 2 && k <= 10 && rho >= 0 && rho <= 1 && !Object.keys(others).length;
      if (!fits) throw new Error(`${name} takes values=2 to 10 and rate=0 to 1 here.`);
      return { ...presetState(""), task: task[name], k, rho };
    }
    const preset = Object.values(PRESETS).find((one) => one.gallery === name && one.state.base);
    if (preset && !rest.replace(/[\s,]/g, "")) return presetState(preset.id);
    throw new Error(`The page does not have gallery_table("${name.slice(0, 30)}"${preset ? ") with settings" : ")"}: paste what print(p.tolist()) writes, the table in brackets.`);
  }

  /** The state whose program this is, or null. */
  function fromImageProgram(code) {
    const found = /K, rate, noise = (\d+), ([\d.e+-]+), ([\d.e+-]+)/.exec(code);
    if (!found) return null;
    const [k, rate, e] = found.slice(1).map(Number);
    if (!(k >= 2 && k <= 10 && rate >= 0 && rate <= 1 && e >= 0 && e <= 0.5)) throw new Error("The page takes K = 2 to 10, rate = 0 to 1 and noise = 0 to 0.5.");
    const plain = (lines) => lines.replace(/\s+/g, " ").trim();
    for (const task of C.TASKS)
      for (const rule of C.GATES) {
        const rates = task === "shape" ? { share: rate } : { rho: rate };
        const state = { ...presetState(""), task, gate: rule, k, e, ...rates };
        const [, ...lines] = imageProgram(state); // from the line with the numbers on
        if (lines.length && plain(code).includes(plain(lines.join("\n"))) && /noise \*/.test(code) === e > 0) return state;
      }
    return null;
  }

  return { program, readPasted, readAny };
})();

if (typeof module !== "undefined") module.exports = Programs;
