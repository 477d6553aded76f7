/* Words that several files share: numbers, the present question, its sources and its labels.
 *
 * The first of the files without a document after core.js; it needs none of them.
 */
const Words = (() => {
  "use strict";

  /** The four parts, in the order in which they are listed. */
  const ATOMS = ["R", "U1", "U2", "S"];

  // ------------------------------------------------------------------ numbers in words

  /** Three decimals, or a whole number where it is one, and more decimals rather than a number that
   *  rounds to a whole one: 0, 0.737, 1, 0.9997, <0.001. No sign on zero. */
  const bits = (x) => {
    const whole = Math.round(x) || 0; // no -0
    const away = Math.abs(x - whole);
    const text = away < 5e-7 ? String(whole) : whole === 0 && x > 0 && away < 5e-4 ? "<0.001"
      : x.toFixed(away >= 5e-4 ? 3 : away >= 5e-5 ? 4 : away >= 5e-6 ? 5 : 6);
    return text.replace("-", "−");
  };

  /** The same with its unit: "1 bit", "0.5 bits". */
  const inBits = (x) => `${bits(x)} ${bits(x) === "1" ? "bit" : "bits"}`;

  /** One decimal; what is neither none nor all does not read so. */
  const percent = (x) => {
    const rounded = +(100 * x).toFixed(1);
    if (rounded === 0 && x > 1e-9) return "<0.1 %";
    return rounded === 100 && x < 1 - 1e-9 ? ">99.9 %" : `${rounded} %`;
  };

  /** The atoms as a list, in the order of ATOMS. */
  const four = (atoms) => ATOMS.map((name) => atoms[name]);

  /** With a capital letter first. */
  const upper = (words) => words[0].toUpperCase() + words.slice(1);

  // ------------------------------------------------------------------ a question in words

  /** What each task asks about; QUESTIONS.match is for the gate that has a map. */
  const QUESTIONS = {
    shape: "the shape that both images share", texture1: "the texture of image 1",
    texture2: "the texture of image 2", match: "whether the pair matches",
  };
  /** What the task "match" asks about under each gate. */
  const GATE_QUESTIONS = {
    match: QUESTIONS.match, parity: "whether the numbers of texture 1 and color 2 have an odd sum",
    sum: "the sum of the numbers of texture 1 and color 2", and: "whether the numbers of texture 1 and color 2 are both odd",
  };

  /** The names of the two sources. */
  const sources = (state) => (state.mode === "images" ? ["image 1", "image 2"] : ["X1", "X2"]);

  /** What the present question asks about, to follow "about". */
  function target(state) {
    if (state.mode !== "images") return "Y";
    if (state.task === "match") return GATE_QUESTIONS[state.gate];
    return state.task === "shape" && state.share < 1 ? "the shape of image 1" : QUESTIONS[state.task];
  }

  /** The names of the labels, in the order of tableOf(state); `vocabulary` has shapes, textures. */
  function labelNames(state, vocabulary) {
    const numbered = (count, words) => Array.from({ length: count }, (_, k) => `${words}${k}`);
    if (state.mode === "table") return numbered(state.base.K, "Y = ");
    const gates = {
      match: ["no match", "match"], parity: ["even sum", "odd sum"],
      sum: numbered(state.k, "sum "), and: ["not both odd", "both odd"],
    };
    const [shapes, textures] = [vocabulary.shapes, vocabulary.textures].map((names) => names.slice(0, state.k));
    return { shape: shapes, texture1: textures, texture2: textures, match: gates[state.gate] }[state.task];
  }

  // ------------------------------------------------------------------ answers

  /** An answer to a question of the page, and why it is right or wrong. */
  const yes = (text, why) => ({ text, right: true, why });
  const no = (text, why) => ({ text, right: false, why });

  return { ATOMS, bits, inBits, percent, four, upper, sources, target, labelNames, yes, no };
})();

if (typeof module !== "undefined") module.exports = Words;
