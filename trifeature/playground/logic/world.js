/* What the page can show, as values: the one object that the views and the tests use.
 *
 * The files that it gathers have no document either: everything is a function of a state, and node
 * tests it. page.html has them in the order below, in which each needs only those before it.
 */
const World = (() => {
  "use strict";

  const inNode = typeof module !== "undefined";
  const { ATOMS, bits, inBits, percent, labelNames } = inNode ? require("./words.js") : Words;
  const { tableOf, atomsOf, measuresOf, sweep, pairOf, cellPair, edited } = inNode ? require("./laws.js") : Laws;
  const { LARGEST, encodeTable } = inNode ? require("./table_text.js") : TableText;
  const { sentence, shortSentence, explain, partSentence, localSentence } = inNode ? require("./sentences.js") : Sentences;
  const { BELIEFS, judge } = inNode ? require("./predictions.js") : Predictions;
  const { GATES, PRESETS, DEFAULTS, SAMPLE_SIZES, presetState } = inNode ? require("./presets.js") : Presets;
  const { STEPS, optionsOf } = inNode ? require("./path_steps.js") : PathSteps;
  const { EXERCISES } = inNode ? require("./exercises.js") : Exercises;
  const { toHash, fromHash, samePreset } = inNode ? require("./state.js") : State;
  const { program, readPasted, readAny } = inNode ? require("./programs.js") : Programs;

  return {
    ATOMS, bits, inBits, percent, labelNames,
    tableOf, atomsOf, measuresOf, sweep, pairOf, cellPair, edited,
    LARGEST, encodeTable,
    sentence, shortSentence, explain, partSentence, localSentence,
    BELIEFS, judge,
    GATES, PRESETS, DEFAULTS, SAMPLE_SIZES, presetState,
    STEPS, optionsOf,
    EXERCISES,
    toHash, fromHash, samePreset,
    program, readPasted, readAny,
  };
})();

if (typeof module !== "undefined") module.exports = World;
