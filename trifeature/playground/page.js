/* The page itself: a state, a `render` that draws all of it, and listeners that change it.
 *
 * DATA holds the vocabulary, the sprite sheet of our renderer and the recorded curves. Everything
 * that can be computed without a document is in core.js and world.js.
 */
(() => {
  "use strict";

  const C = Core;
  const W = World;
  const TILE = DATA.sprites.tile;
  const $ = (id) => document.getElementById(id);

  let state = W.presetState("");
  let atoms = null; // of the present law; null where the table is none
  let part = ""; // the part whose meaning is spelled out
  let wantedEpoch = 0;

  // ------------------------------------------------------------------ small helpers

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
  function write(id, text) {
    if ($(id).textContent !== text) $(id).textContent = text;
  }

  const show = (id, visible) => { $(id).hidden = !visible; };
  const hidden = (name) => state.hide.includes(name);
  const secret = () => state.guess && !state.shown; // a prediction is being made
  const inThousands = (count) => count.toLocaleString("en");
  const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  const ATOM_COLORS = { R: "#0072B2", U1: "#E69F00", U2: "#56B4E9", S: "#CC79A7" };

  // ------------------------------------------------------------------ changing the state

  let planned = 0;
  let saving = 0;

  /** Change the state and draw it with the next frame. `structural`: it is no longer the preset's. */
  function change(values, structural = false) {
    Object.assign(state, values);
    if (structural && state.preset && !samePreset()) state.preset = "";
    if (!planned) planned = requestAnimationFrame(() => { planned = 0; render(); });
    clearTimeout(saving);
    // A browser may refuse more than 100 changes of its address in ten seconds.
    saving = setTimeout(saveLink, 300);
  }

  /** Whether the law is still of the preset's making: a moved slider keeps its name. */
  function samePreset() {
    const start = W.presetState(state.preset);
    return start.mode === state.mode && (state.mode === "images"
      ? start.task === state.task
      : W.encodeTable(start.base) === W.encodeTable(state.base));
  }

  function link() {
    const hash = W.toHash(state);
    return `${location.href.split("#")[0]}${hash ? `#${hash}` : ""}`;
  }

  function saveLink() {
    try { history.replaceState(null, "", link()); } catch { /* the page works without */ }
  }

  function load(hash) {
    const { state: read, notes } = W.fromHash(hash);
    state = read;
    part = "";
    write("notice", notes.join(" "));
    render();
    saveLink();
  }

  /** Go to a preset; what the teacher hid stays hidden. */
  function choose(id, more = {}) {
    const { hide, off, unit, epoch } = state;
    state = { ...W.presetState(id), hide, off, unit, epoch, ...more };
    part = "";
    write("notice", "");
    render();
    saveLink();
  }

  // ------------------------------------------------------------------ render

  function render() {
    atoms = W.atomsOf(state);
    renderControls();
    renderSentence();
    renderPairs();
    renderTable();
    renderBits();
    renderTools();
    renderLearned();
    renderHidden();
  }

  function renderHidden() {
    for (const element of document.querySelectorAll("[data-part]"))
      element.classList.toggle("gone", hidden(element.dataset.part));
    for (const element of document.querySelectorAll(".images-only")) element.hidden = state.mode !== "images";
    for (const element of document.querySelectorAll(".table-only")) element.hidden = state.mode !== "table";
  }

  function setValue(id, value) {
    // Not while it is being typed into: the text would jump.
    if ($(id) !== document.activeElement || $(id).type === "range") $(id).value = value;
  }

  function renderControls() {
    $("preset").options[0].textContent = state.mode === "images" ? "Free play: pairs of images" : "A table of my own";
    $("preset").value = state.preset;
    document.body.classList.toggle("table-mode", state.mode === "table");
    for (const radio of document.getElementsByName("mode")) radio.checked = radio.value === state.mode;
    $("task").value = state.task;
    const matched = state.mode === "table" && !C.problem(state.base) ? C.matchMass(state.base) : null;
    const rho = state.rho === null ? matched : state.rho;
    const fixed = state.mode === "table" && (matched === null || !(matched > 1e-12 && matched < 1 - 1e-12));
    setValue("rho", rho ?? 0);
    $("rho").disabled = fixed;
    write("rho-out", rho === null ? "–" : W.percent(rho));
    write("rho-name", state.mode === "images" ? "Match rate ρ" : "X1 equals X2");
    write("rho-hint", state.mode === "images"
      ? `color 2 keeps the map from texture 1; by chance ${W.percent(1 / state.k)}`
      : matched === null ? "once the table is a probability table" : fixed ? "fixed in this table" : "how often the sources have the same value");
    $("rho").setAttribute("aria-valuetext", rho === null ? "no value" : `${W.percent(rho)} of the pairs`);
    setValue("k", state.k);
    write("k-out", String(state.k));
    $("k").setAttribute("aria-valuetext", `${state.k} values of each attribute`);
    setValue("e", state.e);
    write("e-out", W.percent(state.e));
    $("e").setAttribute("aria-valuetext", `${W.percent(state.e)} of the labels are wrong`);
    $("compare").checked = state.compare;
    $("n").value = String(state.n);
    $("mark").checked = state.mark;
    $("predict").setAttribute("aria-pressed", String(state.guess));
    write("predict", state.guess ? "Stop predicting" : "Predict first");
  }

  function renderSentence() {
    write("say", W.sentence(state, atoms));
    $("say").classList.toggle("bad", !atoms);
    const preset = W.PRESETS[state.preset];
    const open = preset && !secret() && atoms && !W.ATOMS.some(hidden);
    const words = !preset ? "" : preset.belief ? `Belief: “${preset.belief}” ${open ? preset.answer : ""}` : open ? preset.answer : "";
    write("preset-text", words.trim());
    for (const item of $("beliefs").children) item.classList.toggle("now", item.dataset.id === state.preset);
  }

  // ------------------------------------------------------------------ pixels

  const sheet = new Image();
  const tint = document.createElement("canvas"); // one for all pictures: making them is slow
  tint.width = tint.height = TILE;

  /** One picture: the color through the sprite's opacity, over the renderer's gray. */
  function paint(context, x, y, size, shape, texture, color) {
    context.fillStyle = DATA.background;
    context.fillRect(x, y, size, size);
    if (!sheet.complete || !sheet.naturalWidth) return;
    const ink = tint.getContext("2d");
    ink.globalCompositeOperation = "copy";
    ink.drawImage(sheet, texture * TILE, shape * TILE, TILE, TILE, 0, 0, TILE, TILE);
    ink.globalCompositeOperation = "source-in";
    ink.fillStyle = DATA.rgb[color];
    ink.fillRect(0, 0, TILE, TILE);
    context.drawImage(tint, x, y, size, size);
  }

  function picture(shape, texture, color, label) {
    const canvas = make("canvas", { width: TILE, height: TILE, role: "img", "aria-label": label });
    paint(canvas.getContext("2d"), 0, 0, TILE, shape, texture, color);
    return canvas;
  }

  const PAIRS = 12;
  const MANY = 2000; // pairs behind the line that counts

  const mapOf = () => C.permutation(state.k, state.map);

  /** Draw one pair of images: the same uniform numbers whatever the rate, so that a moved
   *  slider changes few pairs. */
  function drawPair(random) {
    const [u1, u2, u3, u4, u5, u6, u7, u8] = Array.from({ length: 8 }, random);
    const K = state.k;
    const map = mapOf();
    const shape = Math.floor(u1 * K);
    const texture1 = Math.floor(u2 * K);
    const other = (texture1 + 1 + Math.floor(u3 * (K - 1))) % K;
    const keeps = u4 < state.rho;
    const pair = {
      shape, keeps, texture1, texture2: Math.floor(u5 * K), color1: Math.floor(u6 * K),
      color2: map[keeps ? texture1 : other],
    };
    const truth = { shape, texture1, texture2: pair.texture2, match: keeps ? 1 : 0 }[state.task];
    const labels = state.task === "match" ? 2 : K;
    const flipped = u7 < state.e;
    const y = flipped ? (truth + 1 + Math.floor(u8 * (labels - 1))) % labels : truth;
    const names = { shape: DATA.shapes, texture1: DATA.textures, texture2: DATA.textures, match: ["no match", "match"] }[state.task];
    pair.label = names[y] + (flipped ? " (wrong label)" : "");
    return pair;
  }

  function drawCell(cumulative, random) {
    const cell = C.cellAt(cumulative, random());
    const { M, K } = state.base;
    const [x1, x2, y] = [Math.floor(cell / (M * K)), Math.floor(cell / K) % M, cell % K];
    const shape = Math.floor(random() * 5);
    return { shape, texture1: x1, texture2: 0, color1: 9, color2: x2, keeps: false, label: `Y = ${y}`, x1, x2 };
  }

  function pairFigure(pair, index) {
    const canvas = make("canvas", { width: 2 * TILE + 8, height: TILE, role: "img" });
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    paint(context, 0, 0, TILE, pair.shape, pair.texture1, pair.color1);
    paint(context, TILE + 8, 0, TILE, pair.shape, pair.texture2, pair.color2);
    const words = (color, texture) => `${DATA.colors[color]} ${DATA.textures[texture]} ${DATA.shapes[pair.shape]}`;
    canvas.setAttribute("aria-label", `Image 1: ${words(pair.color1, pair.texture1)}. Image 2: ${words(pair.color2, pair.texture2)}.`);
    const marked = state.mode === "images" && state.mark && pair.keeps;
    const detail = state.mode === "table" ? `X1 = ${pair.x1}, X2 = ${pair.x2}`
      : `${DATA.textures[pair.texture1]} · ${DATA.colors[pair.color2]}${marked ? " ✓" : ""}`;
    const label = state.mode === "table" ? pair.label : `Y: ${pair.label}`;
    return make("figure", { class: `pair${marked ? " keeps" : ""}${index >= 6 ? " extra" : ""}` }, canvas,
      make("figcaption", {}, make("b", {}, label), detail));
  }

  function renderPairs() {
    const broken = !atoms;
    const law = broken ? null : W.tableOf(state);
    const sums = state.mode === "table" && law ? C.cumulated(law.p) : null;
    const figures = [];
    for (let index = 0; index < PAIRS && !broken; index++) {
      const random = C.generator(state.seed * 1000 + index);
      figures.push(pairFigure(sums ? drawCell(sums, random) : drawPair(random), index));
    }
    $("pairs").replaceChildren(...figures);
    write("pixels-sub", broken ? "No pairs are drawn until the table is a probability table." : state.mode === "images"
      ? "Pairs drawn at this match rate. Both images share a shape; each has its own texture and color."
      : "Pairs drawn from the table: X1 is the texture of image 1, X2 the color of image 2, Y the label.");
    write("count", broken ? "" : counted(sums));
  }

  /** How often the pairs keep the map, or X1 = X2, among many pairs of this seed. */
  function counted(sums) {
    const random = C.generator(state.seed);
    let kept = 0;
    for (let draw = 0; draw < MANY; draw++) {
      if (state.mode === "images") { if (random() < state.rho) kept++; continue; }
      const cell = C.cellAt(sums, random());
      if (Math.floor(cell / (state.base.M * state.base.K)) === Math.floor(cell / state.base.K) % state.base.M) kept++;
    }
    return state.mode === "images"
      ? `Of ${inThousands(MANY)} pairs drawn, ${inThousands(kept)} keep the map.`
      : `Of ${inThousands(MANY)} pairs drawn, ${inThousands(kept)} have X1 = X2.`;
  }

  // ------------------------------------------------------------------ the table

  const swatch = (color) => make("span", { class: "swatch", style: `background:${DATA.rgb[color]}`, "aria-hidden": "true" });

  function headed(kind, index) {
    if (kind === "color") return [swatch(index), make("span", { class: "quiet" }, DATA.colors[index])];
    const [shape, texture] = kind === "shape" ? [index, 0] : [1, index];
    const name = kind === "shape" ? DATA.shapes[index] : DATA.textures[index];
    const image = picture(shape, texture, 9, name);
    image.title = name;
    return [image];
  }

  const KINDS = {
    shape: ["shape", "shape", "shape of image 1", "shape of image 2"],
    texture1: ["texture", "color", "texture of image 1", "color of image 2"],
    texture2: ["texture", "texture", "texture of image 1", "texture of image 2"],
    match: ["texture", "color", "texture of image 1", "color of image 2"],
  };

  const shade = (x, top) => `rgba(0, 114, 178, ${(top > 0 ? 0.75 * x / top : 0).toFixed(3)})`;

  function renderMatrix() {
    const K = state.k;
    const [rows, columns, rowName, columnName] = KINDS[state.task];
    const map = columns === "color" ? mapOf() : C.permutation(K, 0);
    const pairs = C.marginals(W.tableOf(state)).pairs;
    const top = Math.max(...pairs);
    const body = [];
    for (let i = 0; i < K; i++) {
      const cells = [make("th", { scope: "row" }, ...headed(rows, i))];
      for (let j = 0; j < K; j++) {
        const x = pairs[i * K + j];
        const kept = columns === "color" && i === j;
        const text = W.percent(x);
        cells.push(make("td", { style: `background:${shade(x, top)}`, class: kept ? "on-map" : false, title: `${text}` },
          K <= 5 ? text.replace(" %", "") : make("span", { class: "quiet" }, text)));
      }
      body.push(make("tr", {}, ...cells));
    }
    const head = make("tr", {}, make("td"), ...Array.from({ length: K }, (_, j) => make("th", { scope: "col" }, ...headed(columns, map[j]))));
    $("table").replaceChildren(make("table", { class: "matrix" },
      make("caption", {}, `How often each ${rowName} (rows) meets each ${columnName} (columns), in per cent.`),
      make("thead", {}, head), make("tbody", {}, ...body)));
    write("table-title", "Table");
    write("table-sub", columns === "color" ? "The law of the pairs. Framed cells are the map." : "The law of the pairs, for the attributes that matter here.");
  }

  let builtFor = ""; // the size the editor was built for: typing must not replace the field typed into

  function buildEditor({ N, M, K }) {
    const head = make("tr", {}, make("th", { scope: "col" }, "X1, X2"), ...Array.from({ length: K }, (_, k) => make("th", { scope: "col" }, `Y = ${k}`)));
    const body = [];
    for (let i = 0; i < N; i++)
      for (let j = 0; j < M; j++) {
        const cells = Array.from({ length: K }, (_, k) => make("td", {}, make("input", {
          type: "number", min: 0, max: 1, step: 0.05, inputmode: "decimal", "data-cell": (i * M + j) * K + k,
          "aria-label": `Probability of X1 = ${i}, X2 = ${j}, Y = ${k}`,
        })));
        body.push(make("tr", {}, make("th", { scope: "row" }, picture(1, i, 9, DATA.textures[i]), swatch(j), ` ${i}, ${j}`), ...cells));
      }
    $("table").replaceChildren(make("table", { class: "outcomes" },
      make("caption", {}, "The probability of each outcome. X1 is drawn as a texture, X2 as a color."),
      make("thead", {}, head), make("tbody", {}, ...body)));
  }

  function renderEditor() {
    const t = W.tableOf(state);
    const size = `${t.N}x${t.M}x${t.K}`;
    if (builtFor !== size) buildEditor(t);
    builtFor = size;
    const top = Math.max(...Array.from(t.p).filter(Number.isFinite));
    for (const input of $("table").querySelectorAll("input")) {
      const x = t.p[input.dataset.cell];
      if (input !== document.activeElement) input.value = Number.isFinite(x) ? +x.toFixed(4) : "";
      input.style.background = atoms ? shade(x, 1.9 * top) : "";
      input.setAttribute("aria-invalid", String(!(x >= 0)));
    }
    const why = C.problem(t);
    $("table").firstElementChild.classList.toggle("wrong", Boolean(why));
    write("table-state", why ? `Not a probability table: ${why}.` : "The cells sum to 1.");
    $("table-state").classList.toggle("bad", Boolean(why));
    $("normalize").classList.toggle("strong", Boolean(why));
    for (const axis of ["N", "M", "K"]) setValue(`size-${axis}`, t[axis]);
    const preset = W.PRESETS[state.preset];
    write("table-title", "Gates: a table to edit");
    write("table-sub", `p(x1, x2, y)${preset && preset.names ? `: ${preset.names}` : ""}. Change any cell.`);
  }

  function renderTable() {
    if (state.mode === "table") return renderEditor();
    builtFor = "";
    renderMatrix();
  }

  /** Typing into a cell makes the table in force the new one; the others keep their proportions. */
  function editCell(input) {
    const cell = Number(input.dataset.cell);
    const before = W.tableOf(state);
    const p = Float64Array.from(before.p);
    const x = input.value.trim() === "" ? NaN : Number(input.value);
    const rest = p.reduce((total, value, c) => total + (c === cell ? 0 : value), 0);
    if ($("keep").checked && x >= 0 && x <= 1 && rest > 0 && !C.problem(before))
      p.forEach((value, c) => { p[c] = (value * (1 - x)) / rest; });
    p[cell] = x;
    change({ base: C.table(before.N, before.M, before.K, p), rho: null, e: 0 }, true);
  }

  function resize() {
    const before = W.tableOf(state);
    const read = (axis, most) => Math.min(most, Math.max(1, Math.round(Number($(`size-${axis}`).value)) || before[axis]));
    const [N, M, K] = ["N", "M", "K"].map((axis) => read(axis, W.LARGEST[axis]));
    const base = C.fill(N, M, K, (i, j, k) => (i < before.N && j < before.M && k < before.K ? before.p[(i * before.M + j) * before.K + k] : 0));
    change({ base, rho: null, e: 0 }, true);
  }

  // ------------------------------------------------------------------ bits

  /** Width to draw at: the container's, so that text keeps its size on a phone. */
  const widthOf = (id) => Math.max(220, Math.floor($(id).clientWidth || 320));

  /** A scale with round steps for up to `most` bits. */
  function ticks(most) {
    const step = most > 2.5 ? 1 : most > 1.2 ? 0.5 : most > 0.5 ? 0.25 : most > 0.2 ? 0.1 : most > 0.05 ? 0.02 : 0.01;
    const count = Math.max(1, Math.ceil(most / step - 1e-9));
    return Array.from({ length: count + 1 }, (_, c) => c * step);
  }

  function axis(svg, marks, scale, top, bottom) {
    const last = marks[marks.length - 1];
    for (const x of marks) {
      const crowded = x !== last && scale(last) - scale(x) < 64 && x !== 0; // its number would meet the unit
      svg.append(draw("line", { x1: scale(x), x2: scale(x), y1: top, y2: bottom, stroke: "#d5d9de" }),
        draw("text", { x: scale(x), y: bottom + 15, class: "small", "text-anchor": x === last ? "end" : "middle" }, crowded ? "" : x === last ? `${+x.toFixed(2)} ${x === 1 ? "bit" : "bits"}` : String(+x.toFixed(2))));
    }
  }

  /** Rows to draw: every task of the images, or the table; measures and the guess beside it. */
  function barRows() {
    if (state.guess) {
      const guess = { label: "your prediction", atoms: Object.fromEntries(W.ATOMS.map((name, c) => [name, state.g[c]])) };
      return state.shown && atoms ? [guess, { label: "the answer", atoms, on: true }] : [guess];
    }
    if (!atoms) return [];
    const rows = state.mode === "images"
      ? C.TASKS.map((task) => ({
        label: W.TASK_NAMES[task], task, on: task === state.task,
        atoms: task === state.task ? atoms : C.taskAtoms(task, state.k, state.rho, state.e),
      }))
      : [{ label: "BROJA", atoms, on: true }];
    if (state.compare) {
      const measures = W.measuresOf(state);
      for (const name of ["I_min", "MMI"]) rows.push({ label: state.mode === "images" ? `${name} of ${W.TASK_NAMES[state.task]}` : name, atoms: measures[name], on: true });
    }
    return rows;
  }

  const ROW = 52;

  function renderBars() {
    const rows = barRows();
    if (!rows.length) { $("bars").replaceChildren(); $("strip").replaceChildren(); return; }
    const width = widthOf("bars");
    const largest = Math.max(0.1, ...rows.map((row) => W.ATOMS.reduce((total, name) => total + Math.max(0, row.atoms[name]), 0)),
      state.guess ? guessMost() : state.mode === "images" ? Math.log2(state.k) : 0);
    const marks = ticks(largest);
    const scale = (x) => 2 + ((width - 12) * x) / marks[marks.length - 1];
    const bottom = rows.length * ROW + 4;
    const svg = draw("svg", { viewBox: `0 0 ${width} ${bottom + 20}`, height: bottom + 20, role: "img", "aria-label": barsInWords(rows) });
    axis(svg, marks, scale, 4, bottom);
    rows.forEach((row, index) => svg.append(barRow(row, index * ROW, scale)));
    $("bars").replaceChildren(svg);
    renderStrip(rows);
  }

  /** On a narrow screen one bar stays at the bottom while the panel is out of sight. */
  function renderStrip(rows) {
    const row = rows.find((one) => one.on) || rows[0];
    const width = widthOf("strip");
    const most = Math.max(0.1, W.ATOMS.reduce((total, name) => total + Math.max(0, row.atoms[name]), 0), state.mode === "images" ? Math.log2(state.k) : 1);
    const svg = draw("svg", { viewBox: `0 0 ${width} 48`, height: 48 }, barRow({ ...row, task: "" }, 0, (x) => 2 + ((width - 4) * x) / most));
    $("strip").replaceChildren(svg);
  }

  function watchBars() {
    if (!("IntersectionObserver" in window)) return;
    new IntersectionObserver(([entry]) => $("strip").classList.toggle("seen", entry.isIntersecting), { threshold: 0.5 }).observe($("bars"));
  }

  function barsInWords(rows) {
    return rows.map((row) => `${row.label}: ${W.ATOMS.map((name) => `${name} ${hidden(name) ? "hidden" : W.bits(row.atoms[name])}`).join(", ")} bits`).join("; ");
  }

  function barRow(row, y, scale) {
    const group = draw("g", { class: row.task ? "hit" : "", "data-task": row.task || "" });
    const total = W.ATOMS.reduce((sum, name) => sum + row.atoms[name], 0);
    const open = !W.ATOMS.some(hidden);
    const text = draw("text", { x: scale(0), y: y + 17, "font-weight": row.on ? 700 : 400, style: row.on ? "font-weight:700" : "" }, `${row.label}${row.on && row.task ? " ◂" : ""}`);
    group.append(draw("rect", { x: 0, y, width: scale(0) + 80, height: 20, fill: "transparent" }), text);
    if (open) group.append(draw("text", { x: scale(0) + 8 * row.label.length + 34, y: y + 17, class: "small" }, W.inBits(total)));
    let at = 0;
    for (const name of W.ATOMS) {
      const size = Math.max(0, row.atoms[name]);
      if (!hidden(name) && size > 1e-6) group.append(segment(row, name, at, size, y + 23, scale));
      at += size;
    }
    if (open && at < 1e-6) group.append(draw("text", { x: scale(0), y: y + 39, class: "small" }, "nothing to tell"));
    return group;
  }

  function segment(row, name, at, size, y, scale) {
    const [left, right] = [scale(at), scale(at + size)];
    const group = draw("g", { class: "hit", "data-atom": name, "data-task": row.task || "" });
    group.append(draw("rect", {
      class: "part", x: left, y, width: Math.max(0.5, right - left), height: 22, fill: `url(#fill-${name})`,
      stroke: "#1b1f24", "stroke-width": row.on ? 1.4 : 0.5, opacity: row.on ? 1 : 0.75,
    }));
    const label = right - left > 74 ? `${name} = ${W.bits(size)}` : right - left > 24 ? name : "";
    if (label) {
      const wide = 7.3 * label.length + 6;
      const middle = (left + right) / 2;
      group.append(draw("rect", { x: middle - wide / 2, y: y + 3, width: wide, height: 16, rx: 4, fill: "#fff", opacity: 0.94 }),
        draw("text", { x: middle, y: y + 15.5, "text-anchor": "middle", style: "font-size:12.5px;font-weight:600" }, label));
    }
    return group;
  }

  function renderLegend() {
    const value = (name) => (hidden(name) ? "?" : secret() ? "?" : atoms ? W.bits(atoms[name]) : "–");
    const full = { R: "redundant", U1: "unique 1", U2: "unique 2", S: "synergy" };
    for (const name of W.ATOMS) {
      const button = $(`legend-${name}`);
      button.querySelector("b").textContent = value(name);
      button.setAttribute("aria-label", `${name}, ${full[name]}: ${value(name) === "?" ? "hidden" : value(name) === "–" ? "none" : `${value(name)} bits`}`);
      button.setAttribute("aria-pressed", String(part === name));
    }
  }

  function renderExplanation() {
    if (!atoms) return write("explain", "The parts are hidden until the table is a probability table.");
    if (secret()) return write("explain", "R + U1 is what the first source tells alone, R + U2 what the second tells alone, and all four together what both tell.");
    const present = W.ATOMS.filter((name) => !hidden(name));
    const name = part && present.includes(part) ? part : present.reduce((best, other) => (atoms[other] > atoms[best] ? other : best), present[0]);
    write("explain", name ? W.explain(state, atoms, name) : "All four parts are hidden.");
  }

  function renderBits() {
    write("bits-sub", state.mode === "images" ? `What the two images tell about each label Y. Chosen: ${W.TASK_NAMES[state.task]}. Tap a bar to choose another.` : "What X1 and X2 tell about Y.");
    renderGuess();
    renderBars();
    renderLegend();
    renderExplanation();
    const comparing = state.compare && atoms && !secret() && !W.ATOMS.some(hidden);
    write("parting", comparing ? W.partSentence(W.measuresOf(state)) : "");
    renderSampling();
    renderNumbers();
    write("certificate", !atoms || secret() ? "" : state.mode === "images" ? "Exact: a closed formula."
      : `Computed here by the package's algorithm and certified: each part is ${atoms.gap < 1e-13 ? "exact up to rounding" : `within ${(atoms.gap / 2).toFixed(10).replace(/0+$/, "")} bits`}.`);
  }

  function renderNumbers() {
    const rows = secret() || !atoms ? [] : [...barRows(), ...sampleRows];
    const cell = (row, name) => make("td", {}, hidden(name) ? "?" : W.bits(row.atoms[name]));
    const total = (row) => (row.sums === false ? "" : W.ATOMS.some(hidden) ? "?" : W.bits(W.ATOMS.reduce((sum, name) => sum + row.atoms[name], 0)));
    const difference = (row) => (row.sums === false ? "" : hidden("R") || hidden("S") ? "?" : W.bits(row.atoms.R - row.atoms.S));
    const header = make("tr", {}, ...["about", ...W.ATOMS, "total", "R − S"].map((word) => make("th", { scope: "col" }, word)));
    $("numbers").replaceChildren(rows.length
      ? make("table", { class: "plain" }, make("caption", {}, "In bits. R − S is the co-information."), make("thead", {}, header), make("tbody", {}, ...rows.map((row) =>
        make("tr", {}, make("th", { scope: "row" }, row.label), ...W.ATOMS.map((name) => cell(row, name)), make("td", {}, total(row)), make("td", {}, difference(row))))))
      : make("p", {}, secret() ? "Shown with the answer." : "No numbers until the table is a probability table."));
  }

  // ------------------------------------------------------------------ predict, then reveal

  /** The end of the guess sliders: what could be told at most, H(Y), to the next half bit. */
  const guessMost = () => (atoms ? Math.min(4, Math.max(1, Math.ceil(2 * C.informations(W.tableOf(state)).target - 1e-9) / 2)) : 1);

  function renderGuess() {
    show("guess", state.guess && Boolean(atoms));
    if (!state.guess || !atoms) return;
    W.ATOMS.forEach((name, c) => {
      const slider = $(`g-${name}`);
      slider.max = guessMost();
      slider.value = state.g[c];
      slider.disabled = state.shown;
      slider.setAttribute("aria-valuetext", `${W.bits(state.g[c])} bits`);
      write(`g-${name}-out`, W.bits(state.g[c]));
    });
    write("reveal", state.shown ? "Try again" : "Reveal");
    write("verdict", state.shown ? W.judge(state, atoms).text : "");
  }

  // ------------------------------------------------------------------ what a sample would say

  let job = 0;
  let bandKey = "";
  let sampleRows = []; // what the samples said, for the table of numbers

  /** Means and 5th to 95th percentiles of plug-in atoms, computed a few at a time. */
  function simulate(law, n, draws, seed, done, isCurrent) {
    const random = C.generator(seed);
    const found = [];
    const work = () => {
      if (!isCurrent()) return;
      const until = performance.now() + 14;
      while (found.length < draws && performance.now() < until) found.push(C.broja(C.sampled(law, n, random), 1e-4));
      if (found.length < draws) return void setTimeout(work, 0);
      done(Object.fromEntries(W.ATOMS.map((name) => {
        const values = found.map((a) => a[name]).sort((x, y) => x - y);
        const at = (share) => values[Math.round(share * (values.length - 1))];
        return [name, { low: at(0.05), high: at(0.95), mean: values.reduce((x, y) => x + y, 0) / values.length }];
      })));
    };
    setTimeout(work, 0);
  }

  const drawsFor = (law) => (law.p.length > 300 ? 20 : law.p.length > 100 ? 60 : 200);

  function renderSampling() {
    const wanted = state.n > 0 && atoms && !secret() && !W.ATOMS.some(hidden);
    show("sampling", Boolean(wanted));
    if (!wanted) { job++; bandKey = ""; sampleRows = []; return; }
    const law = W.tableOf(state);
    const key = `${state.n} ${state.seed} ${W.encodeTable(law)} ${widthOf("band")}`;
    if (key === bandKey) return;
    bandKey = key;
    const mine = ++job;
    const draws = drawsFor(law);
    write("band-text", `Counting ${draws} samples of ${state.n} pairs …`);
    drawFrame("band", W.ATOMS.map((name) => ({ name, exact: atoms[name] })));
    sampleRows = [];
    simulate(law, state.n, draws, state.seed, (band) => {
      const off = (name) => Math.abs(band[name].mean - atoms[name]);
      drawFrame("band", W.ATOMS.map((name) => ({ name, exact: atoms[name], band: band[name] })));
      sampleRows = [["mean", "mean"], ["low", "5th percentile"], ["high", "95th percentile"]].map(([key, words]) => ({
        label: `samples of ${inThousands(state.n)}: ${words}`, atoms: Object.fromEntries(W.ATOMS.map((name) => [name, band[name][key]])),
        sums: key === "mean", // percentiles do not add up
      }));
      renderNumbers();
      const worst = W.ATOMS.reduce((most, name) => (off(name) > off(most) ? name : most));
      write("band-text", `Bar: 90 % of ${draws} samples of ${state.n} pairs each, counted as they fall; dot: their mean; line: the exact value. On average a sample says ${worst} = ${W.bits(band[worst].mean)}, the law has ${W.bits(atoms[worst])}: the difference is the bias of counting few pairs.`);
    }, () => mine === job);
  }

  const MARKERS = ["circle", "square", "triangle", "diamond", "cross", "bar"];

  function marker({ marker: kind, color, hollow }, x, y) {
    const style = hollow ? { fill: "#fff", stroke: color, "stroke-width": 2 } : { fill: color, stroke: "#fff", "stroke-width": 1 };
    const shapes = {
      circle: () => draw("circle", { cx: x, cy: y, r: 5, ...style }),
      square: () => draw("rect", { x: x - 4.5, y: y - 4.5, width: 9, height: 9, ...style }),
      triangle: () => draw("path", { d: `M${x} ${y - 6}l6 10h-12z`, ...style }),
      diamond: () => draw("path", { d: `M${x} ${y - 6.5}l6 6.5l-6 6.5l-6 -6.5z`, ...style }),
      cross: () => draw("path", { d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`, stroke: color, "stroke-width": 2.5, fill: "none" }),
      bar: () => draw("rect", { x: x - 2, y: y - 6.5, width: 4, height: 13, ...style }),
    };
    return shapes[kind]();
  }

  /** One line a part: exact value, band of samples, and marks of what was learned. */
  function drawFrame(id, rows) {
    const width = widthOf(id);
    const values = rows.flatMap((row) => [row.exact, row.band ? row.band.high : 0, ...(row.marks || []).map((mark) => mark.value)]);
    const marks = ticks(Math.max(0.1, ...values));
    const left = 34;
    const scale = (x) => left + ((width - left - 10) * x) / marks[marks.length - 1];
    const tall = 34 + 13 * Math.max(0, ...rows.map((row) => (row.marks || []).length - 1));
    const bottom = rows.length * tall;
    const words = rows.map((row) => `${row.name}: exact ${W.bits(row.exact)}${row.band ? `, samples ${W.bits(row.band.low)} to ${W.bits(row.band.high)}` : ""}${(row.marks || []).map((mark) => `, ${mark.label} ${W.bits(mark.value)}`).join("")}`);
    const svg = draw("svg", { viewBox: `0 0 ${width} ${bottom + 20}`, height: bottom + 20, role: "img", "aria-label": `${words.join("; ")} bits` });
    axis(svg, marks, scale, 0, bottom);
    rows.forEach((row, index) => {
      const y = index * tall + tall / 2;
      if (index) svg.append(draw("line", { x1: 0, x2: width, y1: index * tall, y2: index * tall, stroke: "#d5d9de" }));
      svg.append(draw("text", { x: 2, y: y + 5, style: "font-weight:700" }, row.name));
      if (row.band) svg.append(
        draw("rect", { x: scale(row.band.low), y: y - tall / 2 + 4, width: Math.max(3, scale(row.band.high) - scale(row.band.low)), height: tall - 8, fill: ATOM_COLORS[row.name], opacity: 0.35, rx: 2 }),
        draw("circle", { cx: scale(row.band.mean), cy: y, r: 3.5, fill: "#1b1f24" }));
      svg.append(draw("line", { x1: scale(row.exact), x2: scale(row.exact), y1: y - tall / 2 + 2, y2: y + tall / 2 - 2, stroke: "#1b1f24", "stroke-width": 3 }));
      (row.marks || []).forEach((mark, place, all) => {
        svg.append(marker(mark.style, scale(mark.value), y + 13 * (place - (all.length - 1) / 2)));
      });
    });
    $(id).replaceChildren(svg);
  }

  // ------------------------------------------------------------------ programs and pasted tables

  function renderTools() {
    write("python", atoms ? W.program(state) : "# The table is no probability table yet.");
    $("copy-python").disabled = !atoms || secret();
    for (const exercise of W.EXERCISES) {
      const done = Boolean(atoms) && exercise.done(state, atoms);
      const mark = $(`exercise-${exercise.id}`);
      if (done) write(mark.id, " Solved ✓"); // once solved, it stays so
    }
  }

  async function copy(text, button) {
    const before = button.textContent;
    let copied = true;
    try { await navigator.clipboard.writeText(text); } catch { copied = copyBySelection(text); }
    button.textContent = copied ? "Copied" : "Could not copy";
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  /** Where the clipboard is closed to the page, select and copy as a reader would. */
  function copyBySelection(text) {
    const field = make("textarea", { "aria-hidden": "true", style: "position:fixed;top:0;opacity:0" });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }

  function usePasted() {
    try {
      const base = W.readPasted($("paste").value);
      write("paste-error", "");
      choose("", { mode: "table", base, rho: null });
      $("bits-title").focus();
      $("say").scrollIntoView({ block: "center" });
    } catch (problem) {
      write("paste-error", problem.message);
    }
  }

  // ------------------------------------------------------------------ learned

  const LINES = ["#0072B2", "#D55E00", "#009E73", "#AA4499", "#7a5300", "#000000"];
  const runs = DATA.learned;
  /** After six runs the colors come again, each with the next marker, hollow every other time. */
  function armStyle(index) {
    const lap = Math.floor(index / LINES.length);
    return { color: LINES[index % LINES.length], marker: MARKERS[(index + lap) % MARKERS.length], hollow: lap % 2 === 1 };
  }
  const COLUMNS = ["R", "U1", "U2", "S"];
  const TITLES = { R: "R: the shared shape", U1: "U1: texture of image 1", U2: "U2: texture of image 2", S: "S: does color match texture?" };

  /**
   * The column of the rows that a panel shows. Few pairs keep the map, so a probe may know much of
   * the match and yet say "no" to all: where rows have them, S is read by AUC, and in bits from
   * the probe that weighs matches and mismatches equally.
   */
  function readAs(column, unit = state.unit) {
    const reading = unit === "accuracy" ? "S_auc" : "S_balanced";
    return column === "S" && runs.readings.includes(reading) ? reading : column;
  }

  /** An accuracy as bits that it proves at least (Fano), or as it is. */
  function measured(accuracy, column) {
    if (state.unit === "accuracy") return 100 * accuracy;
    return C.fano(accuracy, column === "S" ? 2 : runs.classes);
  }

  const meanOf = (values) => values.reduce((total, x) => total + x, 0) / values.length;

  /** For every epoch the accuracies of its seeds, and their mean and range as they are shown. */
  function curve(series, column, read = readAs(column)) {
    const epochs = [...new Set(series.flatMap((run) => run.epochs))].sort((x, y) => x - y);
    return epochs.map((epoch) => {
      const values = series.filter((run) => run.epochs.includes(epoch)).map((run) => run[read][run.epochs.indexOf(epoch)]);
      const shown = values.map((value) => measured(value, column));
      return { epoch, values, mean: meanOf(shown), low: Math.min(...shown), high: Math.max(...shown) };
    });
  }

  /** R and U of a run are those of unbiased training, S that of biased training. */
  const seriesOf = (arm, column) => (column === "S" ? arm.biased : arm.unbiased.length ? arm.unbiased : arm.biased);
  /** The first six runs are shown unless they were switched off, the others once switched on. */
  const isShown = (id, index) => (index < LINES.length) !== state.off.includes(id);
  const shownArms = () => runs.arms.map((arm, index) => ({ ...arm, ...armStyle(index) })).filter((arm, index) => isShown(arm.id, index));
  const lastEpoch = () => Math.max(...runs.arms.flatMap((arm) => [...arm.biased, ...arm.unbiased].flatMap((run) => run.epochs)));
  const exactOf = (column) => (column === "S" ? 1 : Math.log2(runs.classes));
  const chanceOf = (column) => 100 / (column === "S" ? 2 : runs.classes);

  let learnedKey = "";

  function renderLearned() {
    if (!runs) return;
    // A moved slider above changes nothing here.
    const key = JSON.stringify([state.epoch, state.unit, state.off, $("curves").clientWidth]);
    if (key === learnedKey) return;
    learnedKey = key;
    wantedEpoch = state.epoch < 0 ? lastEpoch() : Math.min(state.epoch, lastEpoch());
    for (const radio of document.getElementsByName("unit")) radio.checked = radio.value === state.unit;
    $("arms").querySelectorAll("input").forEach((box, index) => { box.checked = isShown(box.value, index); });
    setValue("epoch", wantedEpoch);
    write("epoch-out", String(wantedEpoch));
    $("epoch").setAttribute("aria-valuetext", `epoch ${wantedEpoch} of ${lastEpoch()}`);
    write("title-S", readAs("S") === "S_auc" ? "S, by AUC: is it a match?" : TITLES.S);
    for (const column of COLUMNS) drawCurves(column);
    renderReadings();
    renderFrame();
  }

  /** Ticks of a panel. Where little of what is in the data was learned, the axis is drawn out and
   *  says so; the frame below keeps the proportions. */
  function curveMarks(column) {
    if (state.unit === "accuracy") return column === "S" ? [40, 60, 80, 100] : [0, 25, 50, 75, 100];
    const most = Math.max(0.02, ...shownArms().flatMap((arm) => [...arm.biased, ...arm.unbiased].flatMap((run) => run[readAs(column)].map((a) => measured(a, column)))));
    return ticks(most < 0.3 * exactOf(column) ? most : exactOf(column));
  }

  function drawCurves(column) {
    const holder = $(`curve-${column}`);
    const width = Math.max(200, holder.clientWidth || 260);
    const [height, left, top] = [200, 34, 8];
    const last = lastEpoch();
    const marks = curveMarks(column);
    const [low, most] = [marks[0], marks[marks.length - 1]];
    const x = (epoch) => left + ((width - left - 8) * epoch) / Math.max(1, last);
    const y = (value) => top + (height - top) * (1 - (Math.min(most, Math.max(low, value)) - low) / (most - low));
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height + 34}`, height: height + 34, role: "img", "aria-label": `${column} over training; the numbers stand in the table below` });
    for (const mark of marks) svg.append(draw("line", { x1: left, x2: width, y1: y(mark), y2: y(mark), stroke: "#e3e6ea" }),
      draw("text", { x: left - 6, y: y(mark) + 4, class: "small", "text-anchor": "end" }, String(+mark.toFixed(2))));
    for (const epoch of new Set([0, Math.round(last / 2), last])) svg.append(draw("text", { x: x(epoch), y: height + 16, class: "small", "text-anchor": "middle" }, String(epoch)));
    svg.append(draw("text", { x: width, y: height + 31, class: "small", "text-anchor": "end" }, "epoch"));
    drawReference(svg, column, { most, left, width, y });
    svg.append(draw("line", { x1: x(wantedEpoch), x2: x(wantedEpoch), y1: top, y2: height, stroke: "#1b1f24", "stroke-width": 1 }));
    for (const arm of shownArms()) {
      if (column === "S" && arm.unbiased.length) drawCurve(svg, curve(arm.unbiased, column), arm, x, y, true);
      drawCurve(svg, curve(seriesOf(arm, column), column), arm, x, y, false);
    }
    holder.replaceChildren(svg);
  }

  /** What is in the data, in bits, or what guessing scores. */
  function drawReference(svg, column, { most, left, width, y }) {
    const bitsShown = state.unit === "bits";
    const exact = bitsShown ? exactOf(column) : chanceOf(column);
    if (exact > most) return svg.append(draw("text", { x: left + 3, y: y(most) + 14, class: "small" }, `↑ in the data: ${W.inBits(exact)}, far above`));
    const words = bitsShown ? { x: left + 3, y: y(exact) + 15, "text-anchor": "start" } : { x: width - 2, y: y(exact) + 14, "text-anchor": "end" };
    svg.append(draw("line", { x1: left, x2: width, y1: y(exact), y2: y(exact), stroke: "#1b1f24", "stroke-width": 1.5, "stroke-dasharray": "2 4" }),
      draw("text", { ...words, class: "small" }, bitsShown ? "in the data" : "guessing"));
  }

  function drawCurve(svg, points, arm, x, y, control) {
    if (!points.length) return;
    const at = (point, key) => `${x(point.epoch).toFixed(1)} ${y(point[key]).toFixed(1)}`;
    const line = points.map((point) => at(point, "mean")).join("L");
    const band = [...points.map((point) => at(point, "high")), ...points.slice().reverse().map((point) => at(point, "low"))].join("L");
    if (!control) svg.append(draw("path", { d: `M${band}Z`, fill: arm.color, opacity: 0.15 }));
    svg.append(draw("path", { d: `M${line}`, fill: "none", stroke: arm.color, "stroke-width": 2, "stroke-dasharray": control ? "6 4" : "none", opacity: control ? 0.8 : 1 }));
    if (!control) for (const point of points) svg.append(marker(arm, x(point.epoch), y(point.mean)));
  }

  /** The point at the chosen epoch; none where that epoch was not probed. */
  const pointAt = (series, column, read) => curve(series, column, read).find((point) => point.epoch === wantedEpoch) || null;

  function reading(series, column, read) {
    const point = pointAt(series, column, read);
    if (!point) return "–";
    const unit = state.unit === "accuracy" ? (x) => x.toFixed(1) : (x) => x.toFixed(2);
    const values = point.values.map((value) => measured(value, column));
    const spread = values.length > 1 ? ` ± ${unit(Math.sqrt(values.reduce((sum, v) => sum + (v - meanOf(values)) ** 2, 0) / (values.length - 1)))}` : "";
    return `${unit(meanOf(values))}${spread}`;
  }

  function renderReadings() {
    const byAuc = readAs("S") === "S_auc";
    const heads = ["run", "R", "U1", "U2", ...(byAuc ? ["S, AUC", "control", "S", "control"] : ["S", "S control"]), "seeds"];
    const header = make("tr", {}, ...heads.map((word) => make("th", { scope: "col" }, word)));
    const rows = shownArms().map((arm) => make("tr", {}, make("th", { scope: "row" }, arm.label),
      ...COLUMNS.map((column) => make("td", {}, reading(seriesOf(arm, column), column))),
      make("td", {}, reading(arm.unbiased, "S")),
      ...(byAuc ? [make("td", {}, reading(arm.biased, "S", "S")), make("td", {}, reading(arm.unbiased, "S", "S"))] : []),
      make("td", {}, String(Math.max(arm.biased.length, arm.unbiased.length)))));
    if (state.unit === "bits") rows.push(make("tr", {}, make("th", { scope: "row" }, "in the data"), ...COLUMNS.map((column) => make("td", {}, W.bits(exactOf(column)))), make("td", {}, "1"), make("td", {}, "")));
    const words = state.unit === "bits" ? `Bits at least, by Fano's inequality: mean ± standard deviation over seeds.${runs.readings.includes("S_balanced") ? " S: from a probe that weighs matches and mismatches equally." : ""}` : `Macro accuracy${byAuc ? " (AUC where it says so)" : ""} in per cent: mean ± standard deviation over seeds.`;
    const gaps = shownArms().some((arm) => !pointAt(seriesOf(arm, "S"), "S")) ? " –: not probed at this epoch." : "";
    $("readings").replaceChildren(make("table", { class: "plain" }, make("caption", {}, words + gaps), make("thead", {}, header), make("tbody", {}, ...rows)));
  }

  let learnedBand = null;

  /** How far a count of as many pairs as the probes were scored on would scatter. */
  function learnedSamples() {
    if (learnedBand || !runs) return;
    learnedBand = {};
    const chance = 1 / runs.classes;
    const tasks = { R: ["shape", chance], U1: ["texture1", chance], U2: ["texture2", chance], S: ["match", 0.5] };
    for (const [column, [task, rho]] of Object.entries(tasks))
      simulate(C.taskTable(task, runs.classes, rho, 0), runs.pairs, 20, 1, (band) => {
        learnedBand[column] = band[column];
        if (Object.keys(learnedBand).length === 4) renderFrame();
      }, () => true);
  }

  const markInWords = ({ label, hollow, marker: kind }) => `${label} (${hollow ? "hollow " : ""}${kind})`;

  function renderFrame() {
    write("frame-text", `Thick line: what the law of the pairs holds. Shaded: 90 % of counts from ${inThousands(runs.pairs)} pairs, as many as the probes were scored on (dot: mean); where you see none, it is narrower than the line. Marks: what was learned, ${shownArms().map(markInWords).join(", ")}. For S, matches and mismatches count equally, so 1 bit is there to learn.`);
    const fano = (value, column) => C.fano(value, column === "S" ? 2 : runs.classes);
    drawFrame("frame", COLUMNS.map((name) => ({
      name, exact: exactOf(name), band: learnedBand ? learnedBand[name] : undefined,
      marks: shownArms().flatMap((arm) => {
        const point = pointAt(seriesOf(arm, name), name, readAs(name, "bits"));
        return point ? [{ label: arm.label, value: meanOf(point.values.map((value) => fano(value, name))), style: arm }] : [];
      }),
    })));
  }

  // ------------------------------------------------------------------ building what stays

  function buildPresets() {
    const option = (preset, words) => make("option", { value: preset.id }, words);
    $("preset").append(make("option", { value: "" }, "of my own making"),
      make("optgroup", { label: "Ten beliefs" }, ...W.BELIEFS.map((preset, index) => option(preset, `${index + 1}. ${preset.belief}`))),
      make("optgroup", { label: "Gates and images" }, ...W.GATES.map((preset) => option(preset, `${preset.gallery ? `${preset.id.toUpperCase()}: ` : ""}${preset.names}`))));
    $("n").append(...W.SAMPLE_SIZES.map((n) => make("option", { value: n }, n ? `${n.toLocaleString("en")} samples` : "the law")));
    $("beliefs").append(...W.BELIEFS.map((preset) => make("li", { "data-id": preset.id }, make("q", {}, preset.belief), make("p", {}, preset.names),
      make("div", {}, make("a", { href: `#preset=${preset.id}&guess=1`, "data-go": "" }, "Predict", make("span", { class: "quiet" }, `: ${preset.belief}`)),
        make("a", { href: `#preset=${preset.id}`, "data-go": "" }, "See why not", make("span", { class: "quiet" }, `: ${preset.belief}`))))));
    $("exercises").append(...W.EXERCISES.map((exercise) => make("li", {}, `${exercise.text} `,
      make("a", { href: `#${exercise.start}`, "data-go": "" }, "Start", make("span", { class: "quiet" }, ` exercise: ${exercise.text}`)),
      make("span", { class: "done", id: `exercise-${exercise.id}`, role: "status" }))));
  }

  function buildLegend() {
    const full = { R: "redundant", U1: "unique", U2: "unique", S: "synergy" };
    $("legend").append(...W.ATOMS.map((name) => {
      const sample = draw("svg", { width: 22, height: 16, "aria-hidden": "true" }, draw("rect", { width: 22, height: 16, fill: `url(#fill-${name})`, stroke: "#1b1f24" }));
      const pick = () => { part = name; renderLegend(); renderExplanation(); };
      return make("button", { type: "button", id: `legend-${name}`, on: { click: pick, focus: pick, mouseenter: pick } }, sample, `${name} ${full[name]}`, make("b", {}));
    }));
  }

  function runInWords(run) {
    return `seed ${run.seed} (${run.key.slice(0, 8)})`;
  }

  function buildLearned() {
    if (!runs) {
      show("learned-body", false);
      return write("learned-sub", "This page was built without recorded runs. Build it with: trifeature playground OUT.html --rows FILE, where FILE holds rows that comm-probe wrote.");
    }
    write("learned-sub", `What linear probes read from trained networks, epoch by epoch: the ${runs.preset}, ${runs.classes} values an attribute. R and U after training on unbiased pairs; S after training on pairs that keep the map (solid) and, as its control, on pairs that do not (dashed). S counts only above its control. Shaded: from the lowest to the highest seed.${runs.readings.includes("S_auc") ? " As an accuracy, S is read by AUC: how often the probe puts a pair that keeps the map before one that does not; guessing scores 50." : ""}`);
    $("arms").append(...runs.arms.map((arm, index) => {
      const style = armStyle(index);
      const sample = draw("svg", { width: 28, height: 14, "aria-hidden": "true" }, draw("line", { x1: 0, x2: 28, y1: 7, y2: 7, stroke: style.color, "stroke-width": 2 }), marker(style, 14, 7));
      return make("label", {}, make("input", { type: "checkbox", value: arm.id }), sample, arm.label);
    }));
    $("curves").append(...COLUMNS.map((column) => make("figure", {}, make("figcaption", { id: `title-${column}` }, TITLES[column]), make("div", { id: `curve-${column}` }))));
    $("epoch").max = lastEpoch();
    const words = (series) => (series.length ? series.map(runInWords).join(", ") : "none");
    $("runs").append(...runs.arms.map((arm) => make("li", {}, `${arm.label}: ${arm.words}. Trained on pairs that keep the map: ${words(arm.biased)}. Trained on unbiased pairs: ${words(arm.unbiased)}.`)));
    $("runs").append(make("li", {}, `Source: ${runs.source}; ${plural(runs.rows, "row")}.`));
    learnedSamples();
  }

  // ------------------------------------------------------------------ listening

  const on = (id, event, act) => $(id).addEventListener(event, act);

  function listenControls() {
    on("preset", "change", () => choose($("preset").value));
    for (const radio of document.getElementsByName("mode")) radio.addEventListener("change", () => switchMode(radio.value));
    on("task", "change", () => change({ task: $("task").value }, true));
    for (const id of ["rho", "e"]) on(id, "input", () => change({ [id]: Number($(id).value) }, true));
    on("k", "input", () => change({ k: Number($("k").value) }, true));
    for (const id of ["compare", "mark"]) on(id, "change", () => change({ [id]: $(id).checked }));
    on("n", "change", () => change({ n: Number($("n").value) }));
    on("redraw", "click", () => change({ seed: (state.seed % 999999) + 1 }));
    on("remap", "click", () => change({ map: (state.map % 9999) + 1 }));
    on("predict", "click", () => change({ guess: !state.guess, shown: false, g: [0, 0, 0, 0] }));
    on("reveal", "click", () => change(state.shown ? { shown: false, g: [0, 0, 0, 0] } : { shown: true }));
    W.ATOMS.forEach((name, c) => on(`g-${name}`, "input", () => {
      const g = [...state.g];
      g[c] = Number($(`g-${name}`).value);
      change({ g });
    }));
    on("reset", "click", () => { choose("", { hide: [], off: [], unit: "bits", epoch: -1 }); $("keep").checked = true; });
    on("copy-link", "click", () => copy(link(), $("copy-link")));
    on("copy-python", "click", () => copy(W.program(state), $("copy-python")));
    on("use-paste", "click", usePasted);
  }

  /** The same law in the other clothes where it fits, else a preset that does. */
  function switchMode(mode) {
    if (mode === state.mode) return;
    if (mode === "images") return choose("", { guess: state.guess });
    editAsTable();
  }

  function editAsTable() {
    const k = Math.min(state.k, W.LARGEST.N);
    const base = C.taskTable(state.task, k, state.rho, state.e);
    const notes = k < state.k ? `A table has at most ${W.LARGEST.N} values a source: the same question with ${k} classes.` : "";
    choose("", { mode: "table", base, rho: null, guess: state.guess });
    write("notice", notes);
  }

  function listenTable() {
    $("table").addEventListener("input", (event) => { if (event.target.dataset.cell) editCell(event.target); });
    // What was typed is rounded to what is kept once the field is left.
    $("table").addEventListener("focusout", () => change({}));
    on("normalize", "click", () => change({ base: C.normalized(W.tableOf(state)), rho: null, e: 0 }, true));
    for (const axis of ["N", "M", "K"]) on(`size-${axis}`, "change", resize);
    on("edit", "click", editAsTable);
  }

  function listenCharts() {
    const pick = (event) => {
      const hit = event.target.closest("[data-atom], [data-task]");
      if (!hit) return;
      const { atom, task } = hit.dataset;
      if (event.type === "click" && task && task !== state.task) { part = atom || ""; return change({ task }, true); }
      if (!atom || secret()) return;
      part = atom;
      renderLegend();
      const law = task && task !== state.task ? C.taskAtoms(task, state.k, state.rho, state.e) : atoms;
      if (law) write("explain", W.explain(state, law, atom, task || state.task));
    };
    on("bars", "click", pick);
    on("bars", "pointerover", pick);
    if (!runs) return;
    on("epoch", "input", () => change({ epoch: Number($("epoch").value) }));
    for (const radio of document.getElementsByName("unit")) radio.addEventListener("change", () => change({ unit: radio.value }));
    on("arms", "change", () => change({
      off: [...$("arms").querySelectorAll("input")].filter((box, index) => box.checked !== (index < LINES.length)).map((box) => box.value),
    }));
    on("same-data", "click", () => { choose("", { k: runs.classes, task: "match", rho: 1 }); $("say").scrollIntoView({ block: "center" }); });
    $("curves").addEventListener("pointerdown", scrub);
    $("curves").addEventListener("pointermove", (event) => { if (event.buttons) scrub(event); });
  }

  /** The epoch under the pointer. */
  function scrub(event) {
    const svg = event.target.closest("svg");
    if (!svg) return;
    const box = svg.getBoundingClientRect();
    const share = (event.clientX - box.left - 34) / (box.width - 42);
    change({ epoch: Math.round(Math.min(1, Math.max(0, share)) * lastEpoch()) });
  }

  function listenWindow() {
    window.addEventListener("hashchange", () => {
      if (location.hash.slice(1) !== W.toHash(state)) load(location.hash);
    });
    document.addEventListener("click", (event) => {
      const anchor = event.target.closest("a[data-go]");
      if (!anchor) return;
      // The link goes where it says even if the address is there already; the top shows it.
      event.preventDefault();
      const keep = { hide: state.hide, off: state.off, unit: state.unit };
      load(anchor.getAttribute("href"));
      Object.assign(state, keep);
      render();
      saveLink();
      $("say").scrollIntoView({ block: "start" });
      $("preset").focus({ preventScroll: true });
    });
    let width = window.innerWidth;
    window.addEventListener("resize", () => {
      if (window.innerWidth !== width) { width = window.innerWidth; change({}); }
    });
  }

  function start() {
    buildPresets();
    buildLegend();
    buildLearned();
    listenControls();
    listenTable();
    listenCharts();
    listenWindow();
    write("hideable", [...new Set([...W.ATOMS, ...[...document.querySelectorAll("[data-part]")].map((element) => element.dataset.part)])].join(", "));
    watchBars();
    sheet.addEventListener("load", () => { builtFor = ""; render(); });
    sheet.src = DATA.sprites.uri;
    load(location.hash);
  }

  // For the tests, and for the curious in the console.
  window.playground = { Core, World, state: () => ({ ...state }), atoms: () => atoms, link };
  start();
})();
