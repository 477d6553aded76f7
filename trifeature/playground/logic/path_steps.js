/* The guided path: six steps, each with a task and a question. (lessons.js shows them.)
 *
 * It needs core.js and words.js.
 */
const PathSteps = (() => {
  "use strict";

  const inNode = typeof module !== "undefined";
  const C = inNode ? require("./core.js") : Core;
  const { bits, inBits, yes, no } = inNode ? require("./words.js") : Words;

  const FIVE = Math.log2(5); // bits about one of five shapes or textures
  const HALF_SHARED = inBits(C.taskAtoms("shape", 5, 0, 0, { share: 0.5 }).R);

  const imageTask = (state, task) => state.mode === "images" && state.task === task;

  /* The six steps. Each asks for a prediction, then for an action. `done(state, atoms, seen)` tells
   * whether the action was done; `seen` has the Sets `moved` (ids of
   * controls) and `guessed` (what was seen at a guess), and `answered`. `options` is a list, or a function of a summary of the recorded runs,
   * {arms: [{label, S, control}]} with S and control in one unit: see optionsOf. `show` names the
   * parts of the page that the step shows; `veiled`: the bars wait for the answer. */
  const STEPS = [
    {
      id: "redundancy", title: "Redundancy: either tells it", veiled: true,
      text: `One fair yes-or-no question holds 1 bit; which of five shapes is shown holds ${bits(FIVE)} (log2 5). Both images show the same shape, so either tells it: redundancy, R. Now let image 2 show the shape of image 1 in half of the pairs only.`,
      task: "The share rate is 100 % now: move it to 50 % and watch R.",
      done: (state) => imageTask(state, "shape") && Math.abs(state.share - 0.5) < 0.011,
      question: `1. Predict: how much of the ${bits(FIVE)} bits about the shape of image 1 is then redundant?`,
      options: [
        no(`Half: ${inBits(FIVE / 2)}`, `Image 2 is wrong in half of the pairs and does not say in which: it tells ${HALF_SHARED} only.`),
        no("Still all of it", `Image 2 is then a poor witness of the shape of image 1: it tells ${HALF_SHARED}, the rest is unique to image 1.`),
        yes(`Far less than half: ${HALF_SHARED}`, `To be right half the time, without saying when, is worth ${HALF_SHARED} of ${bits(FIVE)}.`),
      ],
      hash: "task=shape&step=1", show: ["stage", "share", "bars", "sentence", "R", "U1", "U2", "S"],
    },
    {
      id: "uniqueness", title: "Unique: only one tells it", veiled: true,
      text: "The map gives each texture a color. In these pairs the color of image 2 is the one of the map only by chance, in one pair of five. The question is the texture of image 1.",
      task: "Cover image 1 and guess its texture.",
      done: (state, atoms, seen) => imageTask(state, "texture1") && seen.guessed.has("image 2 only"),
      question: "1. Predict: with image 1 covered, how much does image 2 tell about the texture of image 1?",
      options: [
        yes("0 bits", `Each color comes with each texture equally often, so it tells 0 of ${bits(FIVE)} bits: all are unique to image 1.`),
        no(`One fifth: ${inBits(FIVE / 5)}`, "One pair in five is what chance gives: knowing the color changes no odds, so it tells 0 bits."),
        no(`All of it: ${inBits(FIVE)}`, "The color is the one of the map only by chance here, so it tells 0 bits."),
      ],
      hash: "task=texture1&rho=.2&step=2", show: ["stage", "key", "guesses", "bars", "sentence", "R", "U1", "U2", "S"],
    },
    {
      id: "synergy", title: "Synergy: only both tell it", veiled: true,
      text: "A pair matches if the color of image 2 is the one that the map gives to the texture of image 1. Half of the pairs match. With one image covered the answer is a coin toss: either image alone tells 0 bits.",
      task: "Guess a pair with image 1 covered, one with image 2 covered, and one with both shown.",
      done: (state, atoms, seen) => imageTask(state, "match") && seen.guessed.size === 3,
      question: "1. Predict: how much do both images together tell about whether the pair matches?",
      options: [
        no("0 bits: nothing and nothing is nothing", "With both images the map answers every time: 1 bit."),
        yes("1 bit", "The answer is certain with both images and a coin toss with one: 0 + 0 = 1 bit. That is synergy, S."),
        no("2 bits: one from each image", "A question with two equally likely answers holds 1 bit, and each image alone has 0 bits of it."),
      ],
      hash: "task=match&step=3", show: ["stage", "key", "guesses", "bars", "sentence", "R", "U1", "U2", "S"],
    },
    {
      id: "bias", title: "Bias: when every pair matches", veiled: true,
      text: "Models are often trained on pairs that belong together. Here that means: every pair matches. Two questions are asked about such pairs: do they match, and which texture does image 1 have?",
      task: "Move the match rate to 100 % and watch the four small bars at the bottom of the page.",
      done: (state) => state.mode === "images" && state.rho >= 0.995,
      question: "1. Predict: if every pair matches, what do the images tell about the match, and about the texture of image 1?",
      options: [
        no("1 bit about the match, as before", "The answer is yes for every pair, so there is nothing left to tell: 0 bits."),
        no("0 bits about the match; the texture stays unique", `The color of image 2 now gives the texture of image 1 away: its ${bits(FIVE)} bits are redundant.`),
        yes("0 bits about the match; the texture is redundant", `An answer that is always yes holds 0 bits, and the color of image 2 tells the texture of image 1 as well as image 1 does: R = ${bits(C.taskAtoms("texture1", 5, 1, 0).R)}.`),
      ],
      hash: "task=match&step=4", show: ["stage", "key", "rho", "bars", "task", "sweep", "sentence", "R", "U1", "U2", "S"],
    },
    {
      id: "kept", title: "What a model keeps", veiled: true,
      text: "Networks were trained in three ways (CoMM, Cross, Cross+Self) on pairs that match. Then a simple reader guessed from their features whether new pairs match: 50 is guessing, 100 is always right (the AUC). Dashed, each network's control: the same network, trained on pairs that match only by chance.",
      task: "Play the epochs: whose solid line leaves its dashed control?",
      done: (state, atoms, seen) => state.epoch >= 0 || seen.moved.has("epoch") || seen.moved.has("play-epochs"),
      question: "1. Predict: what shows that a network learned synergy from pairs that match?",
      options: keptOptions,
      hash: "task=match&rho=1&step=5", show: ["learned", "sentence"],
    },
    {
      id: "own", title: "A table of your own", veiled: false,
      text: "A question is a table: how often X1, X2 and Y take which values. This one is XOR: Y is 1 where the two bits differ, and all of it is synergy. For AND, Y is 1 only where both bits are 1.",
      task: "Move the sliders below the cells until R is above 0.1 bits; for AND change three rows.",
      done: (state, atoms) => state.mode === "table" && Boolean(atoms) && atoms.R > 0.1,
      question: "1. Predict: the two bits of AND are independent. Why are 0.311 bits about Y redundant all the same?",
      options: [
        yes("A 0 in either bit says that Y is 0", "Both sources can tell that Y is 0, and that shared answer is worth 0.311 bits."),
        no("The two bits have become alike", "They share 0 bits; redundancy is about Y, not about what the sources have in common."),
        no("Each bit tells one half of Y", "Each bit alone tells 0.311 bits, and both tell the same: that Y is 0."),
      ],
      hash: "preset=xor&step=6", show: ["stage", "dials", "table", "bars", "sentence", "R", "U1", "U2", "S"],
    },
  ];

  /** Answers about recorded curves: they hold for any runs, and name the numbers where given. */
  function keptOptions(summary) {
    const arm = summary && summary.arms && summary.arms.find(({ S, control }) => Number.isFinite(S) && Number.isFinite(control));
    const read = arm ? ` Here ${arm.label} reads ${(100 * arm.S).toFixed(1)} and its control ${(100 * arm.control).toFixed(1)}.` : "";
    return [
      no("S is above what guessing scores", `The control may be above it too, though its pairs match only by chance.${read}`),
      yes("S is above its control", `Only what training on matching pairs adds counts: S less its control.${read}`),
      no("It tells the shape well (R is high)", `R is about the shared shape, which either image tells alone; it shows nothing about S.${read}`),
    ];
  }

  /** The three answers of a belief or a step: [{text, right, why}]. */
  const optionsOf = (item, summary = null) => (typeof item.options === "function" ? item.options(summary) : item.options);

  return { STEPS, optionsOf };
})();

if (typeof module !== "undefined") module.exports = PathSteps;
