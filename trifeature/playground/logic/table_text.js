/* A table as text: in a link, in brackets, in lines. What is no table throws an Error that says why,
 * or comes with the reason.
 *
 * It needs core.js.
 */
const TableText = (() => {
  "use strict";

  const C = typeof module !== "undefined" ? require("./core.js") : Core;

  /** The most values of X1, X2 and Y of a table that the page takes. */
  const LARGEST = { N: 4, M: 4, K: 8 };

  /** A number as it is typed, without the words that JavaScript also takes for one. */
  const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

  // ------------------------------------------------------------------ in a link

  /** A number of a link. Twelve digits keep a table's sum within 1e-10 of 1. */
  const short = (x) => (Number.isFinite(x) ? String(+x.toPrecision(12)).replace(/^(-?)0\./, "$1.") : "x");

  /** A table as it stands in a link: NxMxK_cells. */
  const encodeTable = (t) => `${t.N}x${t.M}x${t.K}_${Array.from(t.p, short).join(",")}`;

  /** Read a table from a link: {table}, or {why} it is none. An empty cell, or x, is one that is
   *  being typed: the table is read and shown as wrong. */
  function readTable(text) {
    const found = /^(\d+)x(\d+)x(\d+)_(.*)$/.exec(text);
    if (!found) return { why: "is not written as NxMxK_cells, for instance 2x2x2_.25,0,0,.25,0,.25,.25,0" };
    const [N, M, K] = found.slice(1, 4).map(Number);
    if (!(N >= 1 && M >= 1 && K >= 1 && N <= LARGEST.N && M <= LARGEST.M && K <= LARGEST.K))
      return { why: `has ${found[1]} × ${found[2]} × ${found[3]} values, where 1 to ${LARGEST.N} × ${LARGEST.M} × ${LARGEST.K} fit` };
    const cells = found[4].split(",");
    if (cells.length !== N * M * K) return { why: `has ${cells.length} ${cells.length === 1 ? "cell" : "cells"}, where ${N} × ${M} × ${K} needs ${N * M * K}` };
    const open = (cell) => cell === "" || cell === "x";
    const bad = cells.find((cell) => !open(cell) && !(NUMBER.test(cell) && Number.isFinite(Number(cell))));
    if (bad !== undefined) return { why: `has a cell “${bad.slice(0, 20)}”, which is not a number` };
    return { table: C.table(N, M, K, cells.map((cell) => (open(cell) ? NaN : Number(cell)))) };
  }

  // ------------------------------------------------------------------ what the page can show

  /** A table that the page can show, divided by its sum. */
  function usable(t) {
    checkSize(t.N, t.M, t.K);
    if (t.p.some((x) => !Number.isFinite(x) || x < 0)) throw new Error("Every entry must be a number of at least 0.");
    if (!t.p.some((x) => x > 0)) throw new Error("All entries are 0.");
    return C.normalized(t);
  }

  /** Throws an Error where the page cannot show so many values. */
  function checkSize(N, M, K) {
    if (N > LARGEST.N || M > LARGEST.M || K > LARGEST.K)
      throw new Error(`The page takes at most ${LARGEST.N} × ${LARGEST.M} × ${LARGEST.K} values, this has ${N} × ${M} × ${K}. The package's broja takes any size.`);
  }

  // ------------------------------------------------------------------ brackets

  /** A number of a table, fractions too; NaN for anything else. */
  function entry(word) {
    const pieces = word.split("/").map((piece) => piece.trim());
    if (pieces.length > 2 || !pieces.every((piece) => NUMBER.test(piece))) return NaN;
    return pieces.length === 2 ? Number(pieces[0]) / Number(pieces[1]) : Number(pieces[0]);
  }

  /** Nested lists of words from text with brackets, a trailing comma allowed. */
  function nestedLists(text) {
    const tokens = text.replace(/\(/g, "[").replace(/\)/g, "]").match(/[[\],]|[^[\],]+/g) || [];
    const words = tokens.map((token) => token.trim()).filter(Boolean);
    let at = 0;
    const one = (depth) => {
      if (words[at] !== "[") return words[at++];
      if (depth > 6) return undefined;
      const list = [];
      for (at++; words[at] !== "]"; ) {
        if (at >= words.length || words[at] === ",") return undefined;
        const next = one(depth + 1);
        if (next === undefined) return undefined;
        list.push(next);
        if (words[at] === ",") at++; else if (words[at] !== "]") return undefined;
      }
      at++;
      return list;
    };
    const found = one(1);
    return at === words.length && Array.isArray(found) ? found : undefined;
  }

  /** Whether lists are three deep, none empty, and of one length at each depth. */
  function isEven(nested) {
    const [N, M, K] = [nested.length, nested[0]?.length, nested[0]?.[0]?.length];
    return Array.isArray(nested[0]?.[0]) && [N, M, K].every((n) => n > 0) && nested.every((rows) =>
      Array.isArray(rows) && rows.length === M && rows.every((cells) => Array.isArray(cells) && cells.length === K));
  }

  /** A table, not yet divided by its sum, from nested brackets or an array around them. */
  function fromBrackets(text) {
    const bare = text.replace(/\b(np\.|numpy\.|torch\.)?(array|tensor)\s*(?=\()/g, "").replace(/,\s*dtype\s*=\s*[\w.]+/g, "");
    let nested = nestedLists(bare);
    if (nested === undefined) throw new Error("The brackets cannot be read: write [[[p, p], [p, p]], [[p, p], [p, p]]].");
    const three = (lists) => Array.isArray(lists[0]?.[0]);
    while (nested.length === 1 && Array.isArray(nested[0]) && three(nested[0]) && Array.isArray(nested[0][0][0])) nested = nested[0]; // array([[[…]]])
    if (!isEven(nested)) throw new Error("The brackets must be three deep and of even length: p[x1][x2][y].");
    const cells = nested.flat(2);
    const bad = cells.find((cell) => typeof cell !== "string" || Number.isNaN(entry(cell)));
    if (bad !== undefined) throw new Error(typeof bad === "string" ? `“${bad.slice(0, 20)}” is not a number.` : "The brackets must be three deep: p[x1][x2][y].");
    return C.table(nested.length, nested[0].length, nested[0][0].length, cells.map(entry));
  }

  // ------------------------------------------------------------------ lines

  /** The words of a line. A tab, semicolon or comma divides where there is one, else spaces. */
  function wordsOf(line, divider) {
    if (!divider) return line.trim().split(/\s+/);
    const words = line.trim().replace(divider === "\t" ? /\t$/ : new RegExp(`${divider}$`), "").split(divider);
    return words.map((word) => word.trim().replace(/^(["'])(.*)\1$/, "$2"));
  }

  /** The usual names of the three columns. */
  const HEADER_NAMES = [/^(x_?1|a|s_?1|source_?1)$/i, /^(x_?2|b|s_?2|source_?2)$/i, /^(y|t|target|label)$/i];

  /**
   * Whether the first row is a header. With four entries: its last word is no number. With three:
   * there is a column in which all later rows, but not the first, are numbers; or it has the usual
   * names, x1 x2 y or a b target, and no later row has any of them in the same column.
   */
  function hasHeader([first, ...later]) {
    const numeric = (word) => NUMBER.test(word);
    if (first.length === 4) return Number.isNaN(entry(first[3]));
    if (first.length !== 3 || !later.length) return false;
    if (first.some((word, column) => !numeric(word) && later.every((words) => words[column] !== undefined && numeric(words[column])))) return true;
    return HEADER_NAMES.every((name, column) => name.test(first[column]) && later.every((words) => words[column] !== first[column]));
  }

  /** Values by their text, numbers by their size: 1 and 1.0 are one value. */
  const valueOf = (word) => (NUMBER.test(word) ? String(Number(word)) : word);

  /** A table of counts or probabilities, one outcome a line: "x1 x2 y p" or "x1 x2 y". */
  function fromLines(text) {
    if (/^(\d{3}[\s,]+)*\d{3}$/.test(text)) return fromOutcomes(text.replace(/,/g, " "));
    const lines = text.split(/\r?\n/).filter((line) => line.trim());
    const divider = ["\t", ";", ","].find((mark) => lines.every((line) => line.includes(mark)));
    const rows = lines.map((line) => wordsOf(line, divider));
    if (hasHeader(rows)) rows.shift();
    if (!rows.length) throw new Error("There is no line to read below the header.");
    checkRows(rows);
    const axes = [0, 1, 2].map((axis) => valuesOf(rows.map((words) => words[axis])));
    checkSize(...axes.map((values) => values.length));
    const t = C.table(...axes.map((values) => values.length));
    for (const words of rows) {
      const [i, j, k] = axes.map((values, axis) => values.indexOf(valueOf(words[axis])));
      t.p[(i * t.M + j) * t.K + k] += words.length === 4 ? entry(words[3]) : 1;
    }
    return t;
  }

  /** A uniform table over outcomes of three digits: "000 011 101 110". */
  function fromOutcomes(text) {
    const sizes = [0, 1, 2].map((axis) => 1 + Math.max(...text.trim().split(/\s+/).map((outcome) => Number(outcome[axis]))));
    checkSize(...sizes);
    return C.uniform(text);
  }

  /** The values of a column: numbers in order, words as they come. */
  function valuesOf(words) {
    const values = [...new Set(words.map(valueOf))];
    return values.every((value) => NUMBER.test(value)) ? values.sort((x, y) => Number(x) - Number(y)) : values;
  }

  /** Throws an Error at the first line that is none of a table. */
  function checkRows(rows) {
    const shown = (words) => words.join(" ").slice(0, 40);
    for (const words of rows) {
      if (words.length !== 4 && words.length !== 3) throw new Error(`A line is “x1 x2 y p” or “x1 x2 y”; this one has ${words.length} ${words.length === 1 ? "entry" : "entries"}: ${shown(words)}`);
      if (words.length !== rows[0].length) throw new Error(`Some lines have ${rows[0].length} entries, this one has ${words.length}: ${shown(words)}`);
      if (words.some((word) => word === "")) throw new Error(`An entry is empty: ${words.join(", ").slice(0, 40)}`);
      if (words.length === 4 && !(entry(words[3]) >= 0)) throw new Error(`The last entry of a line must be a number of at least 0: ${shown(words)}`);
    }
  }

  return { LARGEST, NUMBER, short, encodeTable, readTable, usable, fromBrackets, fromLines };
})();

if (typeof module !== "undefined") module.exports = TableText;
