/* The law of a state: its table, its atoms, their curve along a dial, the pairs drawn from it.
 *
 * It needs core.js.
 */
const Laws = (() => {
  "use strict";

  const C = typeof module !== "undefined" ? require("./core.js") : Core;

  // ------------------------------------------------------------------ a state's law

  /** The part of a state that is its law: of an image task, and of a uniform table over outcomes. */
  const images = (task, k, rho, e = 0) => ({ mode: "images", task, k, rho, e });
  const gate = (support, more) => ({ mode: "table", base: C.uniform(support), rho: null, e: 0, ...more });

  /** Rates beside the match rate, as the laws of the tasks take them. */
  const dials = ({ share, gate }) => ({ share, gate });

  /** The table in force. */
  function tableOf(state) {
    if (state.mode === "images") return C.taskTable(state.task, state.k, state.rho, state.e, dials(state));
    if (C.problem(state.base)) return state.base;
    return C.withNoise(C.withMatch(state.base, state.rho), state.e);
  }

  /** The atoms in force, or null where the table is none. */
  function atomsOf(state, tolerance) {
    if (state.mode === "images") return C.taskAtoms(state.task, state.k, state.rho, state.e, { ...dials(state), tolerance });
    const t = tableOf(state);
    return C.problem(t) ? null : C.broja(t, tolerance);
  }

  /** Atoms under every measure at hand. */
  function measuresOf(state) {
    const t = tableOf(state);
    return { BROJA: atomsOf(state), I_min: C.iMin(t), MMI: C.mmi(t) };
  }

  /** The dial that moves the present law most plainly: the rate of pairs, else the label noise. */
  function dialOf(state) {
    if (state.mode === "images") {
      if (state.task === "shape") return "share";
      return state.task !== "texture2" && state.gate === "match" ? "rho" : "e";
    }
    const mass = C.matchMass(state.base);
    return mass > 1e-12 && mass < 1 - 1e-12 ? "rho" : "e";
  }

  /**
   * The present law's atoms along one dial: {dial: "rho" | "share" | "e", points: [{x, R, U1, U2,
   * S}]}. Rates go from 0 to 1, label noise to 0.5; large tables have fewer points. No points where
   * the table is none.
   */
  function sweep(state, count = 51) {
    if (state.mode === "table" && C.problem(state.base)) return { dial: "e", points: [] };
    const dial = dialOf(state);
    const cells = state.mode === "table" ? state.base.p.length : 0;
    const steps = Math.max(2, Math.min(count, cells > 64 ? 9 : cells > 27 ? 13 : cells > 8 ? 26 : count)) - 1;
    const most = dial === "e" ? 0.5 : 1;
    const points = Array.from({ length: steps + 1 }, (_, c) => {
      const x = (most * c) / steps;
      const { R, U1, U2, S } = atomsOf({ ...state, [dial]: x }, 1e-4);
      return { x, R, U1, U2, S };
    });
    return { dial, points };
  }

  // ------------------------------------------------------------------ pairs

  /** The sources and the label of a drawn pair, by numbers; `free` is any color. */
  function asked(state, pair, free) {
    const matched = state.gate === "match" ? pair.partner : free;
    const colored = { x1: pair.texture1, x2: matched };
    const rules = {
      shape: { x1: pair.shape, x2: pair.shape2, truth: pair.shape },
      texture1: { ...colored, truth: pair.texture1 },
      texture2: { x1: pair.texture1, x2: pair.texture2, truth: pair.texture2 },
      match: { ...colored, truth: C.GATE_RULES[state.gate].label(pair.texture1, matched, state.k) },
    };
    return rules[state.task];
  }

  /**
   * Draw a pair of images of the present law. The same uniform numbers are drawn whatever the
   * rates, so that a moved slider changes few pairs.
   *
   * Returns shape, shape2, texture1, texture2, color1, color2 (indices of the vocabulary), `shares`
   * (both show one shape), `keeps` (color 2 is the map's partner of texture 1; false where the gate
   * has no map), truth and label (before and after the noise), flipped, and x1, x2: row and column
   * of tableOf(state).
   */
  function pairOf(state, random) {
    const u = Array.from({ length: 11 }, random);
    const K = state.k;
    const any = (number, count) => Math.floor(number * count);
    const another = (value, number, count) => (value + 1 + any(number, count - 1)) % count;
    const [shape, texture1, free] = [any(u[0], K), any(u[1], K), any(u[10], K)];
    const mapped = state.gate === "match";
    const [shares, keeps] = [u[8] < state.share, u[3] < state.rho];
    const partner = keeps ? texture1 : another(texture1, u[2], K);
    const pair = {
      shape, shape2: shares ? shape : another(shape, u[9], K), texture1, texture2: any(u[4], K),
      color1: any(u[5], K), color2: mapped ? C.permutation(K, state.map)[partner] : free,
      shares, keeps: mapped && keeps,
    };
    const { x1, x2, truth } = asked(state, { ...pair, partner }, free);
    const labels = C.taskLabels(state.task, K, state.gate);
    const flipped = u[6] < state.e;
    return { ...pair, truth, flipped, label: flipped ? another(truth, u[7], labels) : truth, x1, x2 };
  }

  /** Draw a pair of the table in force: X1 is the texture of image 1, X2 the color of image 2.
   *  `sums` are its cumulated cells, where the caller draws many. */
  function cellPair(state, random, sums = C.cumulated(tableOf(state).p)) {
    const cell = C.cellAt(sums, random());
    const { M, K } = state.base;
    const [x1, x2, label] = [Math.floor(cell / (M * K)), Math.floor(cell / K) % M, cell % K];
    const shape = Math.floor(random() * 5);
    return {
      shape, shape2: shape, texture1: x1, texture2: 0, color1: 9, color2: x2,
      shares: true, keeps: false, truth: label, flipped: false, label, x1, x2,
    };
  }

  // ------------------------------------------------------------------ editing a table

  /** Let the cells beside `cell` have what it leaves: those of its own x1, x2 as long as these hold
   *  enough, in the proportions of `from`; then all others. */
  function giveWay(p, from, cell, value) {
    const K = from.K;
    const first = cell - (cell % K);
    const own = (c) => c >= first && c < first + K;
    const held = from.p.subarray(first, first + K).reduce((total, x) => total + x, 0);
    const within = K > 1 && value <= held;
    const group = (c) => c !== cell && (within ? own(c) : !own(c));
    const left = within ? held - value : 1 - value;
    const many = p.reduce((count, _, c) => count + (group(c) ? 1 : 0), 0);
    const rest = from.p.reduce((total, x, c) => total + (group(c) ? x : 0), 0);
    p.forEach((_, c) => {
      if (group(c)) p[c] = left * (rest > 0 ? from.p[c] / rest : 1 / many);
      else if (c !== cell) p[c] = within ? from.p[c] : 0;
    });
  }

  /**
   * The table after one cell was set. With `rescale` other cells give way: those of the same x1,
   * x2, and where these do not hold enough all others. They keep the proportions they had in `start`,
   * the table when the edit began, so that a value typed on the way (1 before 1.5, 0 before 0.5)
   * destroys nothing; where they were all 0 they share the rest evenly. A value that is no probability
   * (1.5) leaves them as in `start`. Without it, or where `start` is no probability table, only the cell
   * changes.
   */
  function edited(base, start, cell, value, rescale) {
    const from = start && start.p.length === base.p.length ? start : base;
    const scaled = rescale && !C.problem(from);
    const p = Float64Array.from(scaled ? from.p : base.p);
    if (scaled && value >= 0 && value <= 1 && p.length > 1) giveWay(p, from, cell, value);
    p[cell] = value;
    return C.table(base.N, base.M, base.K, p);
  }

  return { images, gate, tableOf, atomsOf, measuresOf, sweep, pairOf, cellPair, edited };
})();

if (typeof module !== "undefined") module.exports = Laws;
