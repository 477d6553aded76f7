/* The exercises: links of a start and of a solution, and whether a state solves it.
 *
 * It needs core.js.
 */
const Exercises = (() => {
  "use strict";

  const C = typeof module !== "undefined" ? require("./core.js") : Core;

  /** Whether two numbers of bits are alike. */
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
    {
      id: "half-shape", text: "Five shapes. Find the share rate at which half of the 2.322 bits about the shape of image 1 are redundant (to 0.02).",
      start: "task=shape", solution: "task=shape&share=0.79",
      done: (state, atoms) => state.mode === "images" && state.task === "shape" && state.k === 5 && state.e === 0 && near(atoms.R, Math.log2(5) / 2, 0.02),
    },
    {
      id: "redundant-gate", text: "Two independent attributes, no label noise: find a gate and a number of classes at which 0.311 bits about the label are redundant (to 0.002).",
      start: "task=match&gate=parity", solution: "task=match&gate=and&k=4",
      done: (state, atoms) => state.mode === "images" && state.task === "match" && state.e === 0 && near(atoms.R, 0.3113, 0.002),
    },
  ];

  return { EXERCISES };
})();

if (typeof module !== "undefined") module.exports = Exercises;
