/* What all views of the page share: the state and its changes, elements, words in place.
 *
 * DATA holds the vocabulary, the sprite sheet of our renderer and the recorded curves. What can be
 * computed without a document is in core.js and the files that world.js gathers. Each view below draws
 * one part of the page from `Page.state`; start.js puts them together.
 */
const Page = (() => {
  "use strict";

  const W = World;
  const C = Core;
  const runs = DATA.learned;
  const $ = (id) => document.getElementById(id);

  // ------------------------------------------------------------------ elements

  /** An element with attributes and children; `text` as a string child is always plain text. */
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes))
      if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
      else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
    element.append(...children);
    return element;
  }

  function draw(tag, attributes = {}, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  /** Write text only where it changed, so that a live region speaks only then. */
  function write(where, text) {
    const element = typeof where === "string" ? $(where) : where;
    if (element.textContent !== text) element.textContent = text;
  }

  const show = (id, visible) => { $(id).hidden = !visible; };

  function setValue(id, value) {
    // Not while it is being typed into: the text would jump.
    if ($(id) !== document.activeElement || $(id).type === "range") $(id).value = value;
  }

  let widths = {};
  let layout = "";

  /** Width to draw a chart at: its container's, so that text keeps its size on a phone. To read it makes
   *  the browser lay the page out, so it is kept as long as the layout is. */
  const widthOf = (id) => { widths[id] ??= $(id).clientWidth; return Math.max(220, widths[id] || 320); };

  /** Forget the widths where the layout is another; "" for any. */
  function laidOut(now) {
    if (!now || now !== layout) widths = {};
    layout = now;
  }

  /** Round steps of an axis for up to `most` bits. */
  function ticks(most) {
    const step = most > 2.5 ? 1 : most > 1.2 ? 0.5 : most > 0.5 ? 0.25 : most > 0.2 ? 0.1 : most > 0.05 ? 0.02 : 0.01;
    const count = Math.max(1, Math.ceil(most / step - 1e-9));
    return Array.from({ length: count + 1 }, (_, c) => c * step);
  }

  const inThousands = (count) => count.toLocaleString("en");
  const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  // ------------------------------------------------------------------ the state and its link

  const page = {
    state: W.presetState(""),
    atoms: null, // of the present law; null where the table is none
    table: null, // the law, as a table
    part: "", // the atom whose meaning is spelled out
    place: 0, // which of the drawn pairs is on the stage
    draw: () => {}, // set by start.js
  };

  /** The last epoch that any run was probed at. */
  const LAST_EPOCH = runs ? Math.max(...runs.arms.flatMap((arm) => [...arm.biased, ...arm.unbiased].flatMap((run) => run.epochs))) : 0;
  let planned = 0;
  let saving = 0;

  /** What a link may name. */
  function limits() {
    const parts = [...new Set([...W.ATOMS, ...[...document.querySelectorAll("[data-part]")].map((element) => element.dataset.part)])];
    return { parts, ...(runs ? { epochs: LAST_EPOCH, arms: runs.arms.map((arm) => arm.id) } : {}) };
  }

  const hidden = (name) => page.state.hide.includes(name);
  const secret = () => page.state.guess && !page.state.shown; // a prediction is being made

  /** Change the state and draw it with the next frame. `structural`: it may no longer be the preset's. */
  function change(values, structural = false) {
    Object.assign(page.state, values);
    if (structural && page.state.preset && !W.samePreset(page.state)) page.state.preset = "";
    plan();
    clearTimeout(saving);
    // A browser may refuse more than 100 changes of its address in ten seconds.
    saving = setTimeout(saveLink, 300);
  }

  function plan() {
    if (!planned) planned = requestAnimationFrame(() => { planned = 0; page.draw(); });
  }

  function link() {
    const hash = W.toHash(page.state);
    return `${location.href.split("#")[0]}${hash ? `#${hash}` : ""}`;
  }

  function saveLink() {
    clearTimeout(saving);
    try { history.replaceState(null, "", link()); } catch { /* the page works without */ }
  }

  /** Take a state as it is: `notes` say what could not be taken. `visit`: the way back leads to the one before. */
  function settle(state, notes = [], visit = false) {
    if (visit) saveLink();
    Object.assign(page, { state, part: "" });
    if (visit && link() !== location.href) try { history.pushState(null, "", link()); } catch { /* the page works without */ }
    page.place = Stage.restart();
    Bars.stop();
    Learned.stop();
    write("notice", notes.join(" "));
    page.draw();
    saveLink();
  }

  const load = (hash) => { const { state, notes } = W.fromHash(hash, limits()); settle(state, notes); };

  /** What a reader keeps on the way: the teacher's choice of what is hidden, and what is shown of the runs. */
  const kept = () => { const { hide, arms, unit, epoch } = page.state; return { hide, arms, unit, epoch }; };

  /** Follow a link within the page; what the teacher hid stays hidden. */
  function follow(hash) {
    const { state, notes } = W.fromHash(hash, limits());
    settle({ ...state, ...kept() }, notes, true);
  }

  /** Go to a preset. */
  const choose = (id, more = {}) => settle({ ...W.presetState(id), ...kept(), ...more }, [], true);

  return Object.assign(page, {
    $, make, draw: page.draw, svg: draw, write, show, setValue, widthOf, laidOut, ticks, inThousands, plural, still,
    runs, limits, kept, hidden, secret, change, plan, link, saveLink, settle, load, follow, choose,
    labels: () => W.labelNames(page.state, DATA), cellOf: (pair) => `${pair.x1},${pair.x2}`, C, W,
  });
})();
