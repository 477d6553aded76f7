/* The bits: bars whose parts glide, braces that draw the identity, the four questions, curves over a dial. */
const Bars = (() => {
  "use strict";

  const { $, make, svg, write, show, hidden, secret, W, C } = Page;
  /** In this order each of what image 1, image 2 and both tell is one stretch of the bar. */
  const ORDER = ["U1", "R", "U2", "S"];
  const COLORS = { R: "#0072B2", U1: "#E69F00", U2: "#56B4E9", S: "#CC79A7" };
  const FULL = { R: "redundant", U1: "unique 1", U2: "unique 2", S: "synergy" };
  const BRACES = { one: ["U1", "R"], two: ["R", "U2"], both: ORDER };
  const total = (atoms) => ORDER.reduce((sum, name) => sum + Math.max(0, atoms[name]), 0);
  const percent = (x) => `${(100 * x).toFixed(3)}%`;

  // ------------------------------------------------------------------ one bar

  /** Elements of a bar that stay: a part that changes its size glides there. */
  function makeBar() {
    const parts = Object.fromEntries(ORDER.map((name) => [name, make("span", { class: `part ${name}`, "data-atom": name }, make("b", {}))]));
    return { root: make("div", { class: "bar" }, ...ORDER.map((name) => parts[name])), parts };
  }

  /** The longest of two texts that a part of so many pixels holds. */
  const fitting = (texts, pixels) => texts.find((text) => 8.4 * text.length + 12 <= pixels) || "";

  /** Lay the parts of `atoms` out on a scale of `most` bits; words where the bar is so many pixels wide.
   *  A hidden part takes no room and has no words: a gap of its size would give it away. */
  function layBar(bar, atoms, most, width = 0) {
    let at = 0;
    for (const name of ORDER) {
      const size = hidden(name) ? 0 : Math.max(0, atoms[name]) / most;
      const part = bar.parts[name];
      part.style.left = percent(at);
      part.style.width = percent(size);
      part.classList.toggle("none", size < 1e-7);
      if (width) write(part.firstChild, fitting([`${name} = ${W.bits(atoms[name])}`, name], size * width));
      at += size;
    }
  }

  // ------------------------------------------------------------------ braces

  const sourceNames = () => (Page.state.mode === "images" ? ["image 1", "image 2"] : ["X1", "X2"]);

  function makeBrace(kind, above) {
    const label = make("p", { class: "brace-label" });
    const line = make("span", { class: "brace-line" });
    const track = make("div", { class: "brace-track" }, line);
    return { root: make("div", { class: `brace ${kind}${above ? " above" : ""}` }, ...(above ? [label, track] : [track, label])), label, line };
  }

  function layBrace(brace, kind, atoms, most) {
    const names = BRACES[kind];
    const first = ORDER.indexOf(names[0]);
    const start = ORDER.slice(0, first).reduce((sum, name) => sum + Math.max(0, atoms[name]), 0);
    const size = names.reduce((sum, name) => sum + Math.max(0, atoms[name]), 0);
    const unknown = W.ATOMS.some(hidden); // its end would give a hidden part away
    brace.line.style.left = percent(unknown ? 0 : start / most);
    brace.line.style.width = percent(unknown ? 0 : size / most);
    brace.line.classList.toggle("point", size < 1e-7);
    const [one, two] = sourceNames();
    const who = { one: `${one} alone`, two: `${two} alone`, both: "both together" }[kind];
    const open = names.every((name) => !hidden(name));
    brace.root.classList.toggle("unknown", unknown);
    brace.label.replaceChildren(make("b", {}, who), ` ${names.join(" + ")} = ${open ? W.inBits(size) : "?"}`);
  }

  // ------------------------------------------------------------------ the bars of the chosen question

  const rows = {}; // by name: answer, guess, I_min, MMI

  function rowOf(name, withBraces) {
    if (rows[name]) return rows[name];
    const bar = makeBar();
    const label = make("p", { class: "bar-label" });
    const braces = withBraces ? { one: makeBrace("one", true), two: makeBrace("two"), both: makeBrace("both") } : null;
    const root = make("div", { class: `bar-row${withBraces ? " main" : ""}` }, label,
      ...(braces ? [braces.one.root] : []), bar.root, ...(braces ? [braces.two.root, braces.both.root] : []));
    rows[name] = { root, bar, label, braces };
    return rows[name];
  }

  const guessAtoms = () => Object.fromEntries(W.ATOMS.map((name, c) => [name, Page.state.g[c]]));

  /** The end of the guess sliders: what could be told at most, H(Y), to the next half bit. */
  const guessMost = () => (Page.atoms ? Math.min(4, Math.max(1, Math.ceil(2 * C.informations(Page.table).target - 1e-9) / 2)) : 1);

  /** What is drawn: [name, words, atoms, with braces]. */
  function barRows() {
    const { state, atoms } = Page;
    if (!atoms) return [];
    if (state.guess) return [["guess", "your prediction", guessAtoms(), !state.shown], ...(state.shown ? [["answer", "the answer", atoms, true]] : [])];
    const others = state.compare ? Object.entries(W.measuresOf(state)).filter(([name]) => name !== "BROJA") : [];
    return [["answer", state.compare ? "BROJA" : "", atoms, true], ...others.map(([name, found]) => [name, name, found, false])];
  }

  /** Bits at the end of the axis: what the label could hold, so that the scale rests while a dial moves. */
  function mostOf(shown) {
    const label = Math.log2(Math.max(2, Page.table.K));
    return Math.max(label, ...shown.map(([, , atoms]) => total(atoms)), Page.state.guess ? guessMost() : 0);
  }

  function renderBars() {
    const shown = barRows();
    const box = $("bars");
    if (!shown.length) { box.replaceChildren(); $("strip").replaceChildren(); return; }
    const most = mostOf(shown);
    const width = Page.widthOf("bars");
    const roots = shown.map(([name, words, atoms, withBraces]) => {
      const row = rowOf(name, name === "answer" || name === "guess");
      write(row.label, words);
      row.label.hidden = !words;
      layBar(row.bar, atoms, most, width);
      if (row.braces) for (const kind of Object.keys(BRACES)) {
        row.braces[kind].root.hidden = !withBraces;
        if (withBraces) layBrace(row.braces[kind], kind, atoms, most);
      }
      return row.root;
    });
    const wanted = [...roots, axis(most)];
    if (box.children.length !== wanted.length || wanted.some((root, place) => box.children[place] !== root)) box.replaceChildren(...wanted);
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", inWords(shown));
    renderStrip(shown.filter(([name]) => rows[name].braces).at(-1)[2], most);
  }

  const axisRoot = make("div", { class: "axis", "aria-hidden": "true" });
  let axisFor = "";

  function axis(most) {
    const key = most.toFixed(4);
    if (key !== axisFor) {
      axisFor = key;
      const marks = Page.ticks(most).filter((x) => x <= most + 1e-9);
      axisRoot.replaceChildren(...marks.map((x, place) => make("span", { style: `left:${percent(x / most)}`, class: x / most > 0.97 && "end" }, place === marks.length - 1 ? `${+x.toFixed(2)} ${x === 1 ? "bit" : "bits"}` : String(+x.toFixed(2)))));
    }
    return axisRoot;
  }

  function inWords(shown) {
    return shown.map(([, words, atoms]) => `${words || "the parts"}: ${W.ATOMS.map((name) => `${name} ${hidden(name) ? "hidden" : W.bits(atoms[name])}`).join(", ")} bits`).join("; ");
  }

  const stripBar = makeBar();

  /** On a narrow screen one bar stays at the bottom while the panel is out of sight. */
  function renderStrip(atoms, most) {
    layBar(stripBar, atoms, most, window.innerWidth - 24);
    if ($("strip").firstChild !== stripBar.root) $("strip").replaceChildren(stripBar.root);
  }

  function watch() {
    if (!("IntersectionObserver" in window)) return;
    new IntersectionObserver(([entry]) => $("strip").classList.toggle("seen", entry.isIntersecting), { threshold: 0.3 }).observe($("bars"));
  }

  // ------------------------------------------------------------------ the legend and what a part means

  function buildLegend() {
    const full = { R: "redundant", U1: "unique", U2: "unique", S: "synergy" };
    $("legend").append(...ORDER.map((name) => {
      const pick = () => { Page.part = name; renderLegend(); renderExplanation(); Links.light({ atom: name }); };
      return make("button", { type: "button", id: `legend-${name}`, on: { click: pick, focus: pick, mouseenter: pick, mouseleave: () => Links.light({}), blur: () => Links.light({}) } },
        make("span", { class: `sample ${name}`, "aria-hidden": "true" }), make("span", {}, `${name} ${full[name]}`), make("b", {}));
    }));
  }

  function renderLegend() {
    const value = (name) => (hidden(name) || secret() ? "?" : Page.atoms ? W.bits(Page.atoms[name]) : "–");
    for (const name of ORDER) {
      const button = $(`legend-${name}`);
      write(button.querySelector("b"), value(name));
      button.setAttribute("aria-label", `${name}, ${FULL[name]}: ${value(name) === "?" ? "hidden" : value(name) === "–" ? "none" : W.inBits(Page.atoms[name])}`);
      button.setAttribute("aria-pressed", String(Page.part === name));
    }
  }

  function renderExplanation() {
    const { atoms, part } = Page;
    if (!atoms) return write("explain", "The parts are hidden until the table is a probability table.");
    if (secret()) return write("explain", "Image or source 1 alone tells U1 + R, source 2 alone R + U2, both together all four.");
    const present = W.ATOMS.filter((name) => !hidden(name));
    const name = part && present.includes(part) ? part : present.reduce((best, other) => (atoms[other] > atoms[best] ? other : best), present[0]);
    write("explain", name ? W.explain(Page.state, atoms, name) : "All four parts are hidden.");
  }

  // ------------------------------------------------------------------ predict, then reveal

  function renderGuess() {
    const { state, atoms } = Page;
    show("guess", state.guess && Boolean(atoms));
    const preset = W.PRESETS[state.preset];
    show("legend", !secret());
    write("ask", secret() && preset && preset.question ? preset.question : "");
    if (!state.guess || !atoms) return;
    const most = guessMost();
    W.ATOMS.forEach((name, c) => {
      const slider = $(`g-${name}`);
      slider.max = most;
      slider.value = state.g[c];
      slider.disabled = state.shown;
      slider.style.setProperty("--fill", percent(Math.min(1, state.g[c] / most)));
      slider.setAttribute("aria-valuetext", `${W.bits(state.g[c])} bits`);
      write(`g-${name}-out`, W.bits(state.g[c]));
    });
    write("reveal", state.shown ? "Try again" : "Reveal");
    // How far off the four are would give a hidden part away.
    write("verdict", !state.shown ? "" : W.ATOMS.some(hidden) ? "Compare the parts that are shown; one that is hidden is not judged." : W.judge(state, atoms).text);
  }

  // ------------------------------------------------------------------ four questions about the same pairs

  const asks = {};

  function buildAsks() {
    $("asks-list").append(...C.TASKS.map((task) => {
      const bar = makeBar();
      const box = make("input", { type: "radio", name: "task", value: task });
      const label = make("label", { class: "ask-card" }, make("span", { class: "ask-name" }, box, make("span", {})), bar.root, make("small", {}));
      asks[task] = { label, bar, box, name: label.querySelector(".ask-name span"), value: label.querySelector("small") };
      return label;
    }));
  }

  const ASKED = { shape: "The shape?", texture1: "The texture of image 1?", texture2: "The texture of image 2?", match: "Do they match?" };
  const RULES = { match: ASKED.match, parity: "Is just one number odd?", and: "Are both numbers odd?", sum: "The sum?" };

  function renderAsks() {
    const { state } = Page;
    const images = state.mode === "images";
    $("asks").hidden = !images;
    if (!images) return;
    const most = Math.log2(state.k);
    const open = !secret() && !W.ATOMS.some(hidden);
    for (const task of C.TASKS) {
      const { label, bar, box, name, value } = asks[task];
      const own = task === state.task;
      box.checked = own;
      label.classList.toggle("on", own);
      write(name, task === "match" ? RULES[state.gate] : ASKED[task]);
      const atoms = own ? Page.atoms : W.atomsOf({ ...state, task });
      layBar(bar, open ? atoms : { R: 0, U1: 0, U2: 0, S: 0 }, Math.max(most, total(atoms)));
      write(value, open ? W.ATOMS.filter((part) => atoms[part] >= 5e-4).map((part) => `${part} ${W.bits(atoms[part])}`).join(" · ") || "nothing to tell" : "?");
    }
  }

  // ------------------------------------------------------------------ a dial sweeps and traces its curves

  let sweepKey = "";
  let traced = null; // {dial, points, most}
  let playing = 0;
  let moving = ""; // the dial that plays
  let before = null; // where it stood
  const CLIP = "sweep-clip";

  function sweepOf() {
    const { state } = Page;
    const known = traced && sweepKey === [traced.dial, keyAt(traced.dial)].join();
    if (known) return traced;
    const found = W.sweep(state);
    traced = { ...found, most: Math.max(0.1, ...found.points.map((point) => Math.max(...W.ATOMS.map((name) => point[name])))) };
    sweepKey = [traced.dial, keyAt(traced.dial)].join();
    return traced;
  }

  /** Everything of the law but the dial that moves. */
  function keyAt(dial) {
    const { mode, task, gate, k, base } = Page.state;
    const dials = ["rho", "share", "e"].map((name) => (name === dial ? "" : Page.state[name]));
    return JSON.stringify([mode, task, gate, k, base && W.encodeTable(base), ...dials]);
  }

  const DIALS = { rho: "match rate", share: "share rate", e: "label noise" };

  let pending = 0;

  /** At once where the curves are known; new ones wait until the bars are painted. */
  function renderSweepSoon() {
    clearTimeout(pending);
    if (traced && sweepKey === [traced.dial, keyAt(traced.dial)].join()) return renderSweep();
    if (playing) stop(); // another question was chosen meanwhile
    pending = setTimeout(renderSweep, 40);
  }

  function renderSweep() {
    const wanted = Page.atoms && !secret() && !W.ATOMS.some(hidden);
    $("sweep-box").hidden = !wanted;
    if (playing && (!wanted || sweepOf().dial !== moving)) stop(); // another question was chosen meanwhile
    if (!wanted) return;
    const { dial, points, most } = sweepOf();
    const words = Page.state.mode === "table" && dial === "rho" ? "how often X1 equals X2" : DIALS[dial];
    write("sweep-text", `${words.charAt(0).toUpperCase()}${words.slice(1)} from ${W.percent(points[0].x)} to ${W.percent(points.at(-1).x)}`);
    drawSweep(dial, points, most);
  }

  let sweepDrawn = "";

  function drawSweep(dial, points, most) {
    const width = Page.widthOf("sweep");
    const [left, right, top, bottom] = [30, width - 8, 8, 96];
    const span = points.at(-1).x - points[0].x || 1;
    const x = (value) => left + ((right - left) * (value - points[0].x)) / span;
    const y = (value) => bottom - ((bottom - top) * value) / most;
    const now = currentDial(dial);
    const key = `${sweepKey} ${width}`;
    if (sweepDrawn !== key) {
      sweepDrawn = key;
      const present = ORDER.filter((name) => points.some((point) => point[name] > 0.01 * most));
      const lines = present.flatMap((name) => {
        const d = `M${points.map((point) => `${x(point.x).toFixed(1)} ${y(point[name]).toFixed(1)}`).join("L")}`;
        const look = { d, fill: "none", stroke: COLORS[name], "stroke-width": 3 };
        return [svg("path", { ...look, opacity: 0.3 }), svg("path", { ...look, "clip-path": `url(#${CLIP})` })];
      });
      const peaks = present.map((name) => {
        const point = points.reduce((best, one) => (one[name] > best[name] + 1e-9 ? one : best));
        return svg("text", { x: Math.min(right - 20, Math.max(left + 6, x(point.x) + 8)), y: Math.max(top + 14, y(point[name]) + 14), class: "strong" }, name);
      });
      $("sweep").replaceChildren(svg("svg", { viewBox: `0 0 ${width} 118`, height: 118, role: "img", "aria-label": `R, U1, U2 and S against the ${DIALS[dial]}` },
        svg("clipPath", { id: CLIP }, svg("rect", { id: "sweep-seen", x: 0, y: 0, width, height: 118 })),
        svg("line", { x1: left, x2: right, y1: bottom, y2: bottom, class: "grid" }), svg("line", { x1: left, x2: right, y1: top, y2: top, class: "grid" }),
        svg("text", { x: left - 4, y: bottom + 4, class: "small", "text-anchor": "end" }, "0"), svg("text", { x: left - 4, y: top + 5, class: "small", "text-anchor": "end" }, String(+most.toFixed(2))),
        svg("text", { x: left, y: bottom + 16, class: "small" }, W.percent(points[0].x)), svg("text", { x: right, y: bottom + 16, class: "small", "text-anchor": "end" }, W.percent(points.at(-1).x)),
        ...lines, ...peaks, svg("line", { id: "sweep-now", y1: top - 4, y2: bottom + 4, class: "now" })));
    }
    const at = x(Math.min(points.at(-1).x, Math.max(points[0].x, now)));
    for (const end of ["x1", "x2"]) $("sweep-now").setAttribute(end, at);
    $("sweep-seen").setAttribute("width", playing ? at : width);
  }

  function currentDial(dial) {
    const value = Page.state[dial];
    return value ?? (dial === "rho" && !C.problem(Page.state.base) ? C.matchMass(Page.state.base) : 0);
  }

  /** End the play where it is: the dial stays there. */
  function stop() {
    moving = "";
    halt();
  }

  function halt() {
    cancelAnimationFrame(playing);
    playing = 0;
    $("play").setAttribute("aria-pressed", "false");
    write("play", "Play");
  }

  /** The end was seen: all is as before, unless the reader has moved on. */
  function giveBack(dial, end) {
    if (!playing && moving === dial && Page.state[dial] === Math.round(100 * end) / 100) Page.change({ [dial]: before }, true);
  }

  /** Move the dial from end to end in four seconds; where motion is unwelcome, one step a second. */
  function play() {
    if (playing) { stop(); return Page.plan(); }
    const { dial, points } = sweepOf();
    moving = dial;
    before = Page.state[dial];
    $("play").setAttribute("aria-pressed", "true");
    write("play", "Stop");
    const [low, high] = [points[0].x, points.at(-1).x];
    const started = performance.now();
    const move = (time) => {
      const share = Math.min(1, Math.max(0, (time - started) / 4000));
      const value = low + (high - low) * (Page.still() ? Math.ceil(4 * share) / 4 : share);
      Page.change({ [dial]: Math.round(100 * value) / 100 }, true);
      if (share < 1) { playing = requestAnimationFrame(move); return; }
      halt();
      setTimeout(() => giveBack(dial, value), 600);
    };
    playing = requestAnimationFrame(move);
  }

  return {
    COLORS, render: () => { renderBars(); renderLegend(); renderExplanation(); renderGuess(); renderAsks(); renderSweepSoon(); },
    build: () => { buildLegend(); buildAsks(); }, barRows, watch, play, stop, explain: renderExplanation, legend: renderLegend,
  };
})();
