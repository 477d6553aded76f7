/* Pair, table cell and bar are one thing: pointing at one lights the others. */
const Links = (() => {
  "use strict";

  const { $, write, W, C, hidden, secret } = Page;
  let now = {};
  let pointed = null; // the element that lights the others

  const all = (selector) => document.querySelectorAll(selector);

  /** The parts of which something shows in a pair: those that a source with a word to say could carry. */
  function speaking(local) {
    const says = (x) => x !== null && x > 5e-4;
    const present = (name) => Page.atoms && Page.atoms[name] > 5e-4 && !hidden(name);
    const test = { R: says(local.one) && says(local.two), U1: says(local.one), U2: says(local.two), S: says(local.both) };
    return W.ATOMS.filter((name) => present(name) && test[name]);
  }

  /** Light what belongs to `atom`, or to the pairs of `cell` ("x1,x2"); nothing for {}. */
  function light(what) {
    now = what;
    const { atom, cell, label } = what;
    document.body.dataset.atom = atom && !secret() ? atom : "";
    for (const element of all("[data-cell]")) element.classList.toggle("lit", Boolean(cell) && element.dataset.cell === cell);
    const spoken = cell && Page.atoms && !secret() ? sayLocal(cell, label) : [];
    for (const element of all("#bars .part")) element.classList.toggle("lit", element.dataset.atom === atom || spoken.includes(element.dataset.atom));
    $("bars").classList.toggle("choosing", Boolean(atom) || spoken.length > 0);
    if (!cell) write("local", "");
  }

  function sayLocal(cell, label) {
    const [i, j] = cell.split(",").map(Number);
    const t = Page.table;
    const y = label ?? mostLikely(t, i, j);
    if (y < 0 || W.ATOMS.some(hidden)) return [];
    write("local", W.localSentence(Page.state, { x1: i, x2: j, y }));
    return speaking(C.local(t, i, j, y));
  }

  function mostLikely(t, i, j) {
    let best = -1;
    for (let k = 0; k < t.K; k++) {
      const x = t.p[(i * t.M + j) * t.K + k];
      if (x > 0 && (best < 0 || x > t.p[(i * t.M + j) * t.K + best])) best = k;
    }
    return best;
  }

  const from = (element) => {
    const found = element.closest && element.closest("[data-cell], [data-atom]");
    if (!found) return null;
    if (found.dataset.atom) return { atom: found.dataset.atom };
    const place = found.dataset.place;
    return { cell: found.dataset.cell, ...(place === undefined ? {} : { label: Stage.pairAt(Number(place)).label }) };
  };

  /** Light what belongs to an element, null for none; another law may put another pair in its place. */
  function lightFrom(element) {
    pointed = element;
    light((element && from(element)) || {});
  }

  function listen() {
    for (const id of ["pairs", "table", "bars"]) {
      $(id).addEventListener("pointerover", (event) => lightFrom(event.target));
      $(id).addEventListener("pointerleave", () => lightFrom(null));
      $(id).addEventListener("focusin", (event) => { if (event.target.tagName !== "INPUT") lightFrom(event.target); });
      $(id).addEventListener("focusout", () => lightFrom(null));
    }
    $("bars").addEventListener("click", (event) => {
      const found = from(event.target);
      if (!found || !found.atom || secret()) return;
      Page.part = found.atom;
      Bars.legend();
      Bars.explain();
    });
  }

  /** After a change of the law: the element may show another pair, or be gone. */
  const again = () => (pointed ? lightFrom(pointed.isConnected ? pointed : null) : light(now));

  return { light: (what) => { pointed = null; light(what); }, listen, again };
})();
