/* The ten beliefs, each with an example whose answer dispels it, a question about it and the typical
 * wrong answer; and a prediction judged.
 *
 * It needs core.js, words.js and laws.js.
 */
const Predictions = (() => {
  "use strict";

  const inNode = typeof module !== "undefined";
  const C = inNode ? require("./core.js") : Core;
  const { inBits, four, yes, no } = inNode ? require("./words.js") : Words;
  const { images, gate, tableOf } = inNode ? require("./laws.js") : Laws;

  // ------------------------------------------------------------------ what a belief implies

  /** Two independent looks at a fair bit, each wrong at a rate. */
  const looks = (e) => C.fill(2, 2, 2, (i, j, k) => 0.5 * (i === k ? 1 - e : e) * (j === k ? 1 - e : e));

  /** The two single informations that follow from a redundancy, and the synergy that is left. */
  function split({ source1, source2, joint }, R) {
    const [U1, U2] = [Math.max(0, source1 - R), Math.max(0, source2 - R)];
    return [R, U1, U2, Math.max(0, joint - R - U1 - U2)];
  }

  /** What the law of a state tells: source1, source2, joint, between, target, in bits. */
  const lawInformations = (state) => C.informations(tableOf(state));
  const cancels = ({ R, S }) => Math.abs(R - S) < 0.05; // a co-information of about 0
  const silent = ({ R, U1, U2 }) => R + Math.min(U1, U2) < 0.01; // a source that tells nothing alone

  /** The mean atoms of 12 samples, counted as they fall. */
  function countedAtoms(state) {
    const [t, random] = [tableOf(state), C.generator(1)];
    const found = Array.from({ length: 12 }, () => four(C.broja(C.sampled(t, state.n, random), 1e-3)));
    return found[0].map((_, c) => found.reduce((total, atoms) => total + atoms[c] / found.length, 0));
  }

  // ------------------------------------------------------------------ the ten beliefs

  /* `wrong` of a belief: its name as it ends "if one believes that …", the four `bits` that follow
   * from it for a state and its atoms, `also` what else may follow, and `applies`: where it says
   * anything. */
  const BELIEFS = [
    {
      id: "correlated", belief: "Redundancy is how much the two sources have in common.",
      answer: "X1 = (a, c), X2 = c, Y = a. The sources share the bit c, and yet they have no redundancy about Y: c tells nothing about a.",
      names: "X1 = (a, c) · X2 = c · Y = a", gallery: "CORRELATED",
      state: gate("000 110 201 311"),
      question: "a and c are independent coin tosses. X1 shows both, X2 shows c, and Y = a. How much about Y is redundant?",
      options: [
        no("1 bit", "They share 1 bit, but that bit is c, and c tells 0 bits about Y = a."),
        yes("0 bits", "X2 = c tells 0 bits about Y = a, so nothing about Y can come from either source."),
        no("0.5 bits", "Redundancy about Y is at most what X2 alone tells about Y, and that is 0 bits."),
      ],
      wrong: {
        name: "redundancy is how much the sources have in common", applies: () => true,
        bits: (state) => {
          const terms = lawInformations(state);
          return split(terms, Math.min(terms.between, terms.joint));
        },
        also: (state, atoms) => {
          const terms = lawInformations(state);
          return [[Math.min(terms.between, terms.joint), atoms.U1, atoms.U2, atoms.S]];
        },
      },
    },
    {
      id: "xor", belief: "A source that tells nothing alone can be dropped.",
      answer: "XOR: Y says whether the two bits differ. Either alone tells nothing; both together tell all. Drop one and everything is gone.",
      names: "Y = X1 xor X2", gallery: "XOR", state: gate("000 011 101 110"),
      question: "Y is 1 where the two bits differ (XOR), so neither bit alone tells Y. How much do both tell together?",
      options: [
        no("0 bits", "Together they show whether the bits differ, which is Y: 1 bit."),
        no("2 bits", "Y has two equally likely values, so there is only 1 bit to tell."),
        yes("1 bit", "Y is certain once both bits are known: 1 bit, and all of it is synergy."),
      ],
      wrong: {
        name: "a source that tells nothing alone can be dropped", applies: (state, atoms) => silent(atoms),
        bits: (state, { R, U1, U2 }) => [R, U1, U2, 0], also: () => [],
      },
    },
    {
      id: "rdnxor", belief: "Equal R and S are a bug, and a co-information of 0 means that there is neither.",
      answer: "X1 = (r, a), X2 = (r, b), Y = (r, a xor b): one redundant bit and one synergistic bit. Co-information is R − S = 0 and hides both.",
      names: "X1 = (r, a) · X2 = (r, b) · Y = (r, a xor b)", gallery: "RDNXOR",
      state: gate("000 011 101 110 222 233 323 332"),
      question: "X1 = (r, a), X2 = (r, b), Y = (r, a xor b). The co-information, R − S, is 0. What are R and S?",
      options: [
        no("Both are 0 bits", "Both sources hold r, so 1 bit is redundant; a xor b needs both, so 1 bit is synergy."),
        yes("Both are 1 bit", "r is 1 redundant bit, a xor b is 1 bit of synergy, and the difference of the two is 0."),
        no("R is 2 bits, S is 0", "Each source alone tells 1 bit, so R cannot be more than 1 bit."),
      ],
      wrong: {
        name: "co-information 0 means that there is neither redundancy nor synergy",
        applies: (state, atoms) => cancels(atoms),
        bits: (state, { U1, U2 }) => [0, U1, U2, 0],
        also: (state, { R, U1, U2 }) => [[0, R + U1, R + U2, 0]],
      },
    },
    {
      id: "and", belief: "Minus the co-information is the synergy.",
      answer: "AND: co-information is −0.189, but the synergy is 0.5. Co-information is R − S, and here R is not 0.",
      names: "Y = X1 and X2", gallery: "AND", state: gate("000 010 100 111"),
      question: "Y = X1 and X2. The co-information, R − S, is −0.189 bits. How much about Y is synergy?",
      options: [
        no("0.189 bits", "Co-information is R − S: with R = 0.311, S is 0.5 and not 0.189 bits."),
        no("0.811 bits", "Both together tell 0.811 bits, but 0.311 of them are redundant."),
        yes("0.5 bits", "R is 0.311 bits, and R − S = −0.189 leaves S = 0.5 bits."),
      ],
      wrong: {
        name: "minus the co-information is the synergy", applies: (state, atoms) => !cancels(atoms),
        bits: (state, { R, S }) => split(lawInformations(state), Math.max(0, R - S)),
        also: (state, { R, U1, U2, S }) => {
          const synergy = Math.max(0, S - R);
          return [[R, U1, U2, synergy], [Math.max(0, R - S), U1, U2, synergy]];
        },
      },
    },
    {
      id: "and-swapped", belief: "The target is just a third variable.",
      answer: "AND again, asked the other way: the target is the first input, the sources are the second input and the output. Same law, other atoms. So always say “about Y”.",
      names: "X1 = second input · X2 = output · Y = first input", gallery: "AND-SWAPPED", state: gate("000 100 001 111"),
      question: "AND asked the other way: what do its second input and its output tell about its first input? Is R still 0.311 bits?",
      options: [
        yes("No, R is 0", "The second input tells 0 bits about the first, so nothing about it is redundant."),
        no("Yes, it is the same law", "The law is the same, but about this target R is 0 and U2 is 0.311 bits."),
        no("No, R is 0.5 bits", "0.5 bits is what both tell together, and the second input alone tells 0 bits of it."),
      ],
      wrong: {
        name: "the target is just a third variable", applies: (state) => state.mode === "table",
        bits: (state) => four(C.broja(C.otherTargets(tableOf(state))[1])),
        also: (state) => [four(C.broja(C.otherTargets(tableOf(state))[0]))],
      },
    },
    {
      id: "ablation", belief: "What is lost when a source is left out is its unique information.",
      answer: "XOR: leaving out either source costs 1 bit, and neither has any unique information. What is lost is U + S.",
      names: "Y = X1 xor X2", gallery: "XOR", state: gate("000 011 101 110"),
      question: "Y = X1 xor X2. Leaving X1 out costs 1 bit. How much is unique to X1?",
      options: [
        no("1 bit", "The 1 bit lost is U1 + S, and X1 alone tells 0 bits: all of the loss is synergy."),
        yes("0 bits", "X1 alone tells 0 bits, so U1 is 0; the 1 bit that is lost is synergy."),
        no("0.5 bits", "What X1 alone tells is R + U1 = 0 bits, so no part of it can be unique."),
      ],
      wrong: {
        name: "what is lost when a source is left out is its unique information", applies: () => true,
        bits: (state, { R, U1, U2, S }) => [R, U1 + S, U2 + S, 0],
        also: (state, { R, U1, U2, S }) => [[R, U1 + S, U2 + S, S]],
      },
    },
    {
      id: "copy", belief: "There is only one way to split the information.",
      answer: "Y = (X1, X2), two independent bits. BROJA calls each unique; I_min calls one bit redundant and one synergistic. A definition has to be chosen and named.",
      names: "Y = (X1, X2)", gallery: "COPY", state: gate("000 011 102 113", { compare: true }),
      question: "Y = (X1, X2), two independent bits: each source tells one of them. BROJA asks whether the sources tell the same, I_min only whether they tell as much. How much about Y is redundant?",
      options: [
        no("0 bits by every definition", "I_min says 1 bit: it compares how much is told, not whether it is the same."),
        no("1 bit by every definition", "BROJA says 0 bits: the two sources tell different bits of Y."),
        yes("0 or 1 bit, by definition", "BROJA says 0 bits and I_min says 1 bit, so the definition must be named."),
      ],
      wrong: {
        name: "everything that both sources tell is redundant (the definition I_min)", applies: () => true,
        text: "Your answer is right by another definition, I_min, which compares how much the sources tell. The answer here is that of BROJA, which asks whether they tell the same.",
        bits: (state) => four(C.iMin(tableOf(state))), also: () => [],
      },
    },
    {
      id: "two-looks", belief: "Synergy needs a rule like XOR.",
      answer: "Two independent noisy looks at one fair bit, each wrong one time in ten. Two looks that agree are surer than one: that is synergy.",
      names: "X1, X2 = Y, each wrong at rate .1", gallery: "TWO-LOOKS",
      state: { mode: "table", base: looks(0.1), rho: null, e: 0 },
      question: "Two independent looks at one fair bit, each wrong one time in ten. Is there synergy?",
      options: [
        yes("Yes, 0.211 bits", "One look tells 0.531 bits, both tell 0.742: two looks that agree are surer than one."),
        no("No, none", "Both looks tell 0.742 bits, 0.211 more than the 0.531 that either tells."),
        no("Yes, all 0.742 bits", "0.531 of the 0.742 bits are told by either look alone: they are redundant."),
      ],
      wrong: {
        name: "synergy needs a rule like XOR", applies: (state, atoms) => !silent(atoms),
        bits: (state, { R, U1, U2 }) => [R, U1, U2, 0],
        also: (state, { R, U1, U2, S }) => [[R + S, U1, U2, 0], [R, U1 + S / 2, U2 + S / 2, 0]],
      },
    },
    {
      id: "half-match", belief: "If half the pairs match, half the information is redundant.",
      answer: "Ten textures; the color of image 2 keeps the map to the texture of image 1 in half the pairs. Of 3.322 bits about that texture, only 0.737 are redundant.",
      names: "Y = texture of image 1", state: images("texture1", 10, 0.5),
      question: "Ten textures, and half the pairs match. How much of the 3.322 bits about the texture of image 1 does the color of image 2 tell too?",
      options: [
        no("Half of it, 1.661 bits", "The color is wrong in half the pairs and does not say in which: 0.737 bits are left of it."),
        yes("Far less than half, 0.737 bits", "A color that is right half the time, and not known when, tells 0.737 of 3.322 bits."),
        no("None of it", "The color keeps the map far more often than by chance and tells 0.737 bits."),
      ],
      wrong: {
        name: "the match rate is the share of the information that is redundant",
        applies: (state) => state.mode === "images" && ((state.task === "texture1" && state.gate === "match") || (state.task === "shape" && state.share < 1)),
        bits: (state, { total }) => {
          const rate = state.task === "shape" ? state.share : state.rho;
          return [rate * total, (1 - rate) * total, 0, 0];
        },
        also: () => [],
      },
    },
    {
      id: "independent", belief: "An estimate above zero is in the data.",
      answer: "Three independent variables of four values: every atom is 0. Counted from 64 samples, a table says 0.42 bits of synergy on average. That is bias, and it shrinks as 1/n: choose more samples.",
      names: "X1, X2, Y independent", gallery: "INDEPENDENT",
      state: { mode: "table", base: C.fill(4, 4, 4, () => 1 / 64), rho: null, e: 0, n: 64 },
      question: "64 samples of three independent variables say 0.42 bits of synergy on average. What is the true synergy?",
      options: [
        no("About 0.42 bits", "That is the bias of counting 64 samples in 64 cells: with 1,024 samples only 0.02 are left."),
        no("0.42 bits, give or take chance", "Chance would fall on either side, but the mean is 0.42 bits above the truth, which is 0."),
        yes("0 bits", "Independent variables tell 0 bits; a count of few samples is too high on average."),
      ],
      wrong: {
        name: "an estimate above zero is in the data",
        applies: (state, atoms) => state.n > 0 && atoms.total < 0.01,
        bits: countedAtoms, also: () => [],
        // Whoever reads the estimate off the page sets S, and the rest at about 0.
        fits: (state, atoms, [R, U1, U2, S]) => S > 0.2 && S < 1 && Math.max(R, U1, U2) <= 0.15,
      },
    },
  ];

  // ------------------------------------------------------------------ predict, then reveal

  /** The decompositions that typical beliefs give for this state: [belief, four bits, its id]. */
  function beliefGuesses(state, atoms) {
    return BELIEFS.filter(({ wrong }) => wrong.applies(state, atoms)).flatMap(({ id, wrong }) =>
      [wrong.bits(state, atoms), ...wrong.also(state, atoms)].map((guess) => [wrong.name, guess, id]));
  }

  /** How far two lists of four parts are apart: the sum over the parts, in bits. */
  const distance = (x, y) => x.reduce((total, value, c) => total + Math.abs(value - y[c]), 0);
  const RIGHT = 0.1; // bits off in all: four sliders in steps of 0.05 cannot do better
  const LIKE = 0.12; // bits from what a belief gives: as near as that is the same answer

  /** The belief that a guess follows from, or null. One that is the preset's own goes first. */
  function beliefBehind(state, atoms) {
    const truth = four(atoms);
    const off = distance(state.g, truth);
    if (off <= RIGHT) return null;
    const found = beliefGuesses(state, atoms)
      .filter(([, guess]) => distance(guess, truth) > 0.15)
      .map(([, guess, id]) => [id, distance(state.g, guess)])
      .filter(([, away]) => away < LIKE && away < off)
      .sort((x, y) => x[1] - y[1]).map(([id]) => id);
    for (const { id, wrong } of BELIEFS)
      if (wrong.fits && wrong.applies(state, atoms) && wrong.fits(state, atoms, state.g)) found.push(id);
    // An answer that several beliefs give is named on an example of its own only.
    const id = found.includes(state.preset) ? state.preset : state.preset || state.mode === "images" ? found[0] : undefined;
    return BELIEFS.find((belief) => belief.id === id) || null;
  }

  /** The guess judged: {off: bits off in all, belief: its name or "", id: the belief's, text}. */
  function judge(state, atoms) {
    const off = distance(state.g, four(atoms));
    const found = beliefBehind(state, atoms);
    const verdict = off < 5e-7 ? "Exactly right" : off <= RIGHT ? "Right" : off < 0.25 && !found ? "Close" : "Not this time";
    const because = found ? found.wrong.text || `Your answer is what follows if one believes that ${found.wrong.name}. It is a common belief, and this example dispels it.` : "";
    return {
      off, belief: found ? found.wrong.name : "", id: found ? found.id : "",
      text: `${verdict}: your four parts are ${inBits(off)} off in all.${because ? ` ${because}` : ""}`,
    };
  }

  return { BELIEFS, judge };
})();

if (typeof module !== "undefined") module.exports = Predictions;
