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

  const covered = (seen, image) => seen.covered.has(image);
  const imageTask = (state, task) => state.mode === "images" && state.task === task;

  /* The six steps. `done(state, atoms, seen)` tells whether the task was done; `seen` has the Sets
   * `covered` ("1", "2") and `moved` (ids of controls), and `answered`. `options` is a list, or
   * a function of a summary of the recorded runs, {arms: [{label, S, control}]} with S and control in
   * one unit: see optionsOf. `show` names the parts of the page that the step shows. */
  const STEPS = [
    {
      id: "redundancy", title: "Redundancy: either tells it",
      text: "Both images show one shape, so either tells it: all of it is redundant. The share rate is how often they really do. Watch R as it falls.",
      task: "Move the share rate to 50 %.",
      done: (state) => imageTask(state, "shape") && Math.abs(state.share - 0.5) < 0.011,
      question: "Half of the pairs share their shape. How much of the 2.322 bits about it is redundant?",
      options: [
        no(`Half: ${inBits(FIVE / 2)}`, `Image 2 is wrong in half of the pairs and does not say in which: ${HALF_SHARED} are left.`),
        no("Still all of it", `Image 2 is now a poor witness: it tells ${HALF_SHARED}, the rest is unique to image 1.`),
        yes(`Far less than half: ${HALF_SHARED}`, `Being right half the time, without saying when, is worth ${HALF_SHARED} of ${bits(FIVE)}.`),
      ],
      hash: "task=shape&step=1", show: ["stage", "share", "bars", "sentence", "R", "U1", "U2", "S"],
    },
    {
      id: "uniqueness", title: "Unique: only one tells it",
      text: "Now the texture of image 1 is asked. The color of image 2 keeps the map only by chance, in one pair of five. So only image 1 tells its texture.",
      task: "Cover image 1 and try to tell its texture.",
      done: (state, atoms, seen) => imageTask(state, "texture1") && covered(seen, "1"),
      question: "Image 1 is covered. How much does image 2 tell about the texture of image 1?",
      options: [
        yes("0 bits", `Each color comes with each texture equally often, so it tells 0 of ${bits(FIVE)} bits.`),
        no(`One fifth: ${inBits(FIVE / 5)}`, "One pair in five is what chance gives: knowing the color changes no odds, so it tells 0 bits."),
        no(`All of it: ${inBits(FIVE)}`, "The map holds only by chance here, so the color of image 2 tells 0 bits."),
      ],
      hash: "task=texture1&rho=.2&step=2", show: ["stage", "key", "bars", "sentence", "R", "U1", "U2", "S"],
    },
    {
      id: "synergy", title: "Synergy: only both tell it",
      text: "Does the color of image 2 match the texture of image 1? Half of the pairs do. Look at one image, then at the other, then at both.",
      task: "Cover image 1, then image 2.",
      done: (state, atoms, seen) => imageTask(state, "match") && covered(seen, "1") && covered(seen, "2"),
      question: "Neither image alone tells whether the pair matches. How much do both tell together?",
      options: [
        no("0 bits: nothing and nothing is nothing", "With both images the key answers every time: 1 bit."),
        yes("1 bit: all of it is synergy", "The answer is certain with both images and a coin toss with one: 0 + 0 = 1 bit."),
        no("2 bits: one from each image", "A question with two equally likely answers holds 1 bit, and each image alone has 0 bits of it."),
      ],
      hash: "task=match&step=3", show: ["stage", "key", "guesses", "bars", "sentence", "R", "U1", "U2", "S"],
    },
    {
      id: "bias", title: "Bias: when every pair matches",
      text: "Models are often trained on pairs that belong together. Let every pair keep the map, and watch both bars: the match and texture 1.",
      task: "Move the match rate to 100 %.",
      done: (state) => state.mode === "images" && state.rho >= 0.995,
      question: "Every pair matches. What do both images tell about the match, and about texture 1?",
      options: [
        no("1 bit about the match, as before", "The label is the same for every pair, so there are 0 bits to tell about it."),
        no("0 bits about the match, and texture 1 stays unique", `Color 2 now gives texture 1 away: its ${bits(FIVE)} bits are redundant.`),
        yes("0 bits about the match, and texture 1 is redundant", `A constant label holds 0 bits, and color 2 tells texture 1 as well as image 1 does: R = ${bits(C.taskAtoms("texture1", 5, 1, 0).R)}.`),
      ],
      hash: "task=match&step=4", show: ["stage", "key", "rho", "bars", "task", "sweep", "sentence", "R", "U1", "U2", "S"],
    },
    {
      id: "kept", title: "What a model keeps",
      text: "Recorded from trained networks: Cross aligns the two images of a pair; CoMM also compares each with both. Compare S with its dashed control, which saw no map.",
      task: "Move the epoch, or play, and read S beside its control.",
      done: (state, atoms, seen) => state.epoch >= 0 || seen.moved.has("epoch") || seen.moved.has("play-epochs"),
      question: "What shows that a model learned synergy from pairs that keep the map?",
      options: keptOptions,
      hash: "task=match&rho=1&step=5", show: ["learned", "sentence"],
    },
    {
      id: "own", title: "A table of your own",
      text: "Here is XOR as a table: all of it is synergy. Any table can be edited. AND has a 1 only where both bits are 1: go towards it, and watch R.",
      task: "Change the cells until R is above 0.1 bits.",
      done: (state, atoms) => state.mode === "table" && Boolean(atoms) && atoms.R > 0.1,
      question: "The two bits of AND are independent. Why are 0.311 bits redundant all the same?",
      options: [
        yes("A 0 in either bit says that Y is 0", "Both sources can tell that Y is 0, and that shared answer is worth 0.311 bits."),
        no("The two bits have become alike", "They share 0 bits; redundancy is about Y, not about what the sources have in common."),
        no("XOR had it already", "In XOR neither bit tells anything about Y, so R is 0."),
      ],
      hash: "preset=xor&step=6", show: ["stage", "dials", "table", "bars", "sentence", "R", "U1", "U2", "S"],
    },
  ];

  /** Answers about recorded curves: they hold for any runs, and name the numbers where given. */
  function keptOptions(summary) {
    const arm = summary && summary.arms && summary.arms.find(({ S, control }) => Number.isFinite(S) && Number.isFinite(control));
    const read = arm ? ` Here ${arm.label} reads ${(100 * arm.S).toFixed(1)} and its control ${(100 * arm.control).toFixed(1)}.` : "";
    return [
      no("S is above what guessing scores", `The control may be above it too, without pairs that keep the map.${read}`),
      yes("S is above its control", `Only what training on such pairs adds counts: S less its control.${read}`),
      no("R is high", `R is about the shared shape, which either image tells alone; it shows nothing about S.${read}`),
    ];
  }

  /** The three answers of a belief or a step: [{text, right, why}]. */
  const optionsOf = (item, summary = null) => (typeof item.options === "function" ? item.options(summary) : item.options);

  return { STEPS, optionsOf };
})();

if (typeof module !== "undefined") module.exports = PathSteps;
