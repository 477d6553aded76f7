/* The examples by their names: the ten beliefs, gates, image tasks; and the state that each opens.
 *
 * It needs laws.js and predictions.js.
 */
const Presets = (() => {
  "use strict";

  const inNode = typeof module !== "undefined";
  const { images, gate } = inNode ? require("./laws.js") : Laws;
  const { BELIEFS } = inNode ? require("./predictions.js") : Predictions;

  /** A preset of a uniform table over outcomes "x1 x2 y". */
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

  /** The state that the page opens with. */
  const DEFAULTS = {
    preset: "", mode: "images", task: "match", gate: "match", k: 5, rho: 0.5, share: 1, e: 0, base: null,
    seed: 1, map: 1, mark: true, compare: false, n: 0, cover: "",
    guess: false, g: [0, 0, 0, 0], shown: false, step: 0,
    arms: [], epoch: -1, unit: "accuracy", hide: [],
  };

  /** Samples that `n` may be; with 0 nothing is estimated. */
  const SAMPLE_SIZES = [0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

  /** The preset of a name that may come from anywhere, or null. */
  const presetOf = (id) => (Object.hasOwn(PRESETS, id) ? PRESETS[id] : null);

  /** The state of a preset, all else as it is when the page opens. */
  function presetState(id) {
    const preset = presetOf(id);
    return { ...DEFAULTS, ...(preset ? preset.state : {}), preset: preset ? id : "" };
  }

  return { GATES, PRESETS, DEFAULTS, SAMPLE_SIZES, presetOf, presetState };
})();

if (typeof module !== "undefined") module.exports = Presets;
