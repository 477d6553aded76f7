/* What a state tells, in sentences with its numbers: the law, one part of it, one pair.
 *
 * It needs core.js, words.js and laws.js.
 */
const Sentences = (() => {
  "use strict";

  const inNode = typeof module !== "undefined";
  const C = inNode ? require("./core.js") : Core;
  const { ATOMS, bits, inBits, percent, upper, sources, target } = inNode ? require("./words.js") : Words;
  const { tableOf } = inNode ? require("./laws.js") : Laws;

  const LEAST = 1e-6; // bits: what is less is rounding, and not there

  /** What each part is, in the words of the present sources: "unique to image 1". */
  function parts(state, atoms) {
    const [one, two] = sources(state);
    const words = {
      R: ["redundant", " (either tells it)"], U1: [`unique to ${one}`, ""],
      U2: [`unique to ${two}`, ""], S: ["synergy", " (only both together tell it)"],
    };
    return ATOMS.filter((name) => Math.abs(atoms[name]) >= LEAST).map((name) => [name, ...words[name]]);
  }

  /** Why the table is none. */
  const noTable = (state) => C.problem(state.base);
  const partHidden = (state) => ATOMS.some((name) => state.hide.includes(name));

  /** What is seen while one source is covered: its number, and what the other tells alone. */
  function uncovered(state, atoms) {
    const [one, two] = sources(state);
    return state.cover === "1" ? [one, two, atoms.R + atoms.U2] : [two, one, atoms.R + atoms.U1];
  }

  /** The sentence under the title: what the present law tells, with its numbers. */
  function sentence(state, atoms) {
    if (!atoms) return `This is no probability table: ${noTable(state)}. Its parts are not shown until it is one.`;
    if (state.guess && !state.shown) return `Your turn: how is the information about ${target(state)} split? Set the four parts, then reveal.`;
    if (partHidden(state)) return `Part of the answer about ${target(state)} is hidden: work it out first.`;
    const [one, two] = sources(state);
    const present = parts(state, atoms);
    if (!present.length) return `There is nothing to tell about ${target(state)}: ${one} and ${two} tell 0 bits about it, alone and together.`;
    if (state.cover) {
      const [covered, seen, size] = uncovered(state, atoms);
      return `With ${covered} covered, ${seen} alone tells ${inBits(size)} about ${target(state)}; both together tell ${inBits(atoms.total)}.`;
    }
    const alone = `${upper(one)} alone tells ${inBits(atoms.R + atoms.U1)} about ${target(state)}, ${two} alone ${inBits(atoms.R + atoms.U2)}, both together ${inBits(atoms.total)}`;
    return `${alone}: ${splitInWords(present, atoms)}.`;
  }

  /** "all of it is synergy (…)", "nearly all of it (0.9997 of 1 bit) is …", "0.311 bits are …". */
  function splitInWords(present, atoms) {
    const [most, kind, note] = present.reduce((best, part) => (atoms[part[0]] > atoms[best[0]] ? part : best));
    const others = present.filter(([name]) => name !== most);
    if (others.reduce((total, [name]) => total + Math.abs(atoms[name]), 0) < LEAST) return `all of it is ${kind}${note}`;
    const piece = ([name, ...words]) => `${inBits(atoms[name])} ${words.join("")}`;
    const listed = (pieces) => [pieces.slice(0, -1).join(", "), pieces[pieces.length - 1]].filter(Boolean).join(" and ");
    if (atoms[most] >= 0.99 * atoms.total)
      return `nearly all of it (${bits(atoms[most])} of ${inBits(atoms.total)}) is ${kind}${note}, the rest is ${listed(others.map(piece))}`;
    const [first, ...more] = present;
    const is = bits(atoms[first[0]]) === "1" ? "is" : "are";
    return listed([`${inBits(atoms[first[0]])} ${is} ${first.slice(1).join("")}`, ...more.map(piece)]);
  }

  /** The same in at most twelve words, for narrow screens. */
  function shortSentence(state, atoms) {
    if (!atoms) return `No probability table: ${noTable(state)}.`;
    if (state.guess && !state.shown) return "Your turn: set the four parts, then reveal.";
    if (partHidden(state)) return "A part is hidden: work it out first.";
    if (state.cover) {
      const [, seen, size] = uncovered(state, atoms);
      return `${upper(seen)} alone: ${inBits(size)}. Together: ${inBits(atoms.total)}.`;
    }
    return `Alone: ${bits(atoms.R + atoms.U1)} and ${inBits(atoms.R + atoms.U2)}. Together: ${inBits(atoms.total)}.`;
  }

  /** What one part means here: the text behind a hover, a tap or a focused legend button. */
  function explain(state, atoms, name, task = state.task) {
    const here = state.mode === "images" ? { ...state, task } : state;
    const [one, two] = sources(here);
    const about = target(here);
    const size = inBits(atoms[name]);
    if (Math.abs(atoms.total) < LEAST) return `Nothing to split: ${one} and ${two} together tell 0 bits about ${about}.`;
    const noise = state.e ? ` Label noise of ${percent(state.e)} has already taken its share.` : "";
    const general = {
      R: `Redundancy about ${about}: ${size} that ${one} tells and ${two} tells as well.`,
      U1: `Unique to ${one}: ${size} about ${about} that ${two} cannot tell.`,
      U2: `Unique to ${two}: ${size} about ${about} that ${one} cannot tell.`,
      S: `Synergy about ${about}: ${size} that neither tells alone and both together do.`,
    };
    return general[name] + (state.mode === "images" ? reason(here, atoms, name) : "") + noise;
  }

  /** Why a part of an image task has its size; "" where there is nothing to add. */
  function reason(state, atoms, name) {
    const found = {
      match: state.gate === "match" ? matchReason : gateReason,
      texture1: state.gate === "match" ? textureReason : freeReason,
      shape: shapeReason,
      texture2: () => (name === "U2" ? " Nothing in image 1 depends on the texture of image 2." : ""),
    };
    return found[state.task](state, atoms, name);
  }

  function matchReason(state, atoms, name) {
    if (name !== "S") return "";
    return state.rho === 0 || state.rho === 1
      ? " The label is the same for every pair, so there is nothing to tell."
      : ` Where ${percent(state.rho)} of the pairs match, the answer holds no more.`;
  }

  function gateReason(state, atoms, name) {
    if (name === "S") return " Texture 1 and color 2 are independent, and the label needs both numbers.";
    if (name !== "R" || atoms.R < LEAST) return "";
    return state.gate === "and"
      ? " An even number in either image already says no."
      : ` Of ${state.k} numbers fewer are odd than even, so each image hints at the label a little.`;
  }

  function textureReason(state, atoms, name) {
    if (name === "U1") return atoms.R < LEAST ? " The color of image 2 tells nothing about it." : " The color of image 2 does not tell the rest.";
    if (name !== "R") return "";
    return Math.abs(state.rho - 1 / state.k) < 1e-9
      ? " The color of image 2 keeps the map only by chance, so it says nothing."
      : ` The color of image 2 hints at the texture of image 1, through the map, in ${percent(state.rho)} of the pairs.`;
  }

  const freeReason = (state, atoms, name) =>
    ({ U1: " Nothing in image 2 depends on it.", R: " With this gate there is no map: the color of image 2 says nothing." }[name] || "");

  function shapeReason(state, atoms, name) {
    if (name === "U1" && state.share < 1) return " The shape of image 2 does not tell the rest.";
    if (name !== "R") return "";
    if (state.share === 1) return " Both images show the same shape.";
    return Math.abs(state.share - 1 / state.k) < 1e-9
      ? " The images show one shape only by chance, so image 2 says nothing."
      : ` Both images show the same shape in ${percent(state.share)} of the pairs.`;
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

  /** What one pair says about its own label: `cell` has x1, x2 and y, or a pair's label. */
  function localSentence(state, cell) {
    const t = tableOf(state);
    if (C.problem(t)) return "";
    const found = C.local(t, cell.x1, cell.x2, cell.y ?? cell.label);
    const here = state.mode === "images" ? "pair" : "outcome";
    if (found.both === null) return `This ${here} never occurs.`;
    const [one, two] = sources(state);
    const misleading = [[one, found.one], [two, found.two], ["both together", found.both]].filter(([, x]) => x < -5e-7).map(([who]) => who);
    const caution = misleading.length ? ` Negative: here ${misleading.join(" and ")} ${misleading.length > 1 || misleading[0].startsWith("both") ? "mislead" : "misleads"}, making the label less likely.` : "";
    return `This ${here}: ${one} says ${inBits(found.one)}, ${two} ${inBits(found.two)}, both ${inBits(found.both)} about ${target(state)}.${caution}`;
  }

  return { sentence, shortSentence, explain, partSentence, localSentence };
})();

if (typeof module !== "undefined") module.exports = Sentences;
