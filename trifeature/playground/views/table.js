/* The table: the law of the pairs as a matrix, or a table p(x1, x2, y) to edit by typing or dragging. */
const Table = (() => {
  "use strict";

  const { $, make, write, show, setValue, W, C } = Page;
  const MOST_SLIDERS = 32; // cells; a larger table is typed

  const KINDS = {
    shape: ["shape", "shape", "shape of image 1", "shape of image 2"],
    texture1: ["texture", "color", "texture of image 1", "color of image 2"],
    texture2: ["texture", "texture", "texture of image 1", "texture of image 2"],
    match: ["texture", "color", "texture of image 1", "color of image 2"],
  };

  function headed(kind, index) {
    if (kind === "color") return [Pixels.swatch(index), make("span", { class: "quiet" }, DATA.colors[index])];
    return [kind === "shape" ? Pixels.shape(index, DATA.shapes[index]) : Pixels.texture(index, DATA.textures[index])];
  }

  // ------------------------------------------------------------------ the matrix of the images

  let built = ""; // what the present elements were built for: typing must not replace the field typed into
  let cells = [];

  function buildMatrix(columnOrder, onMap) {
    const K = Page.state.k;
    const [rows, columns, rowName, columnName] = KINDS[Page.state.task];
    cells = [];
    const body = Array.from({ length: K }, (_, i) => make("tr", {}, make("th", { scope: "row" }, ...headed(rows, i)), ...Array.from({ length: K }, (_unused, j) => {
      const cell = make("td", { "data-cell": `${i},${j}`, class: onMap && i === j ? "on-map" : false });
      cells.push(cell);
      return cell;
    })));
    const head = make("tr", {}, make("td"), ...Array.from({ length: K }, (_, j) => make("th", { scope: "col" }, ...headed(columns, columnOrder[j]))));
    $("table").replaceChildren(make("table", { class: "matrix", style: `--count:${K}` },
      make("caption", {}, `How often each ${rowName} (rows) meets each ${columnName} (columns), in per cent.`),
      make("thead", {}, head), make("tbody", {}, ...body)));
  }

  function renderMatrix() {
    const { state } = Page;
    const K = state.k;
    const mapped = KINDS[state.task][1] === "color" && state.gate === "match";
    const order = mapped ? Stage.mapOf() : C.permutation(K, 0);
    const key = `${state.task} ${K} ${order.join()} ${state.gate} ${Pixels.ready()}`;
    if (built !== key) buildMatrix(order, mapped);
    built = key;
    const pairs = C.marginals(Page.table).pairs;
    const top = Math.max(...pairs);
    pairs.forEach((x, place) => {
      const cell = cells[place];
      cell.style.setProperty("--fill", top > 0 ? (x / top).toFixed(3) : 0);
      cell.title = W.percent(x);
      const text = W.percent(x);
      if (K <= 5) write(cell, text.replace(" %", ""));
      else if (!cell.firstChild || cell.firstChild.textContent !== text) cell.replaceChildren(make("span", { class: "quiet" }, text));
    });
    write("table-title", "Table");
    write("table-sub", mapped ? "The law of the pairs. Framed cells are the key." : "The law of the pairs, for what matters here.");
  }

  // ------------------------------------------------------------------ a table to edit

  function inputs(place, words, sliders) {
    const shared = { min: 0, max: 1, "data-place": place };
    return [
      make("input", { type: "number", ...shared, step: 0.05, inputmode: "decimal", "aria-label": words }),
      ...(sliders ? [make("input", { type: "range", ...shared, step: 0.01, "aria-label": `${words}, by dragging` })] : []),
    ];
  }

  function buildEditor({ N, M, K }) {
    const sliders = N * M * K <= MOST_SLIDERS;
    const head = make("tr", {}, make("th", { scope: "col" }, "X1, X2"), ...Array.from({ length: K }, (_, k) => make("th", { scope: "col" }, `Y = ${k}`)));
    const body = [];
    for (let i = 0; i < N; i++)
      for (let j = 0; j < M; j++) body.push(make("tr", { "data-cell": `${i},${j}` },
        make("th", { scope: "row" }, Pixels.texture(i), Pixels.swatch(j), ` ${i}, ${j}`),
        ...Array.from({ length: K }, (_, k) => make("td", {}, ...inputs((i * M + j) * K + k, `Probability of X1 = ${i}, X2 = ${j}, Y = ${k}`, sliders)))));
    $("table").replaceChildren(make("table", { class: "outcomes" },
      make("caption", {}, `The probability of each outcome${sliders ? ": type or drag" : ""}. X1 is drawn as a texture, X2 as a color.`),
      make("thead", {}, head), make("tbody", {}, ...body)));
  }

  /** Four decimals at most; more are kept. */
  const shown = (x) => (Number.isFinite(x) ? String(+x.toFixed(4)) : "");

  function renderEditor() {
    const t = Page.table;
    const key = `editor ${t.N}x${t.M}x${t.K} ${Pixels.ready()}`;
    if (built !== key) buildEditor(t);
    built = key;
    const why = C.problem(t);
    const top = Math.max(...Array.from(t.p).filter(Number.isFinite), 1e-9);
    for (const input of $("table").querySelectorAll("input")) {
      const x = t.p[input.dataset.place];
      const value = input.type === "range" ? String(x || 0) : shown(x);
      if (input.value !== value && (input !== document.activeElement || input.type === "range")) input.value = value;
      if (input.type === "number") {
        const fill = why ? "0" : Math.max(0, x / top).toFixed(3);
        if (input.dataset.fill !== fill) { input.dataset.fill = fill; input.style.setProperty("--fill", fill); }
        input.setAttribute("aria-invalid", String(!(x >= 0)));
      } else input.setAttribute("aria-valuetext", shown(x));
    }
    $("table").firstElementChild.classList.toggle("bad-table", Boolean(why));
    write("table-state", why ? `Not a probability table: ${why}.` : "The cells sum to 1.");
    $("table-state").classList.toggle("bad", Boolean(why));
    $("normalize").classList.toggle("strong", Boolean(why));
    for (const axis of ["N", "M", "K"]) setValue(`size-${axis}`, t[axis]);
    const preset = W.PRESETS[Page.state.preset];
    write("table-title", "A table to edit");
    write("table-sub", `p(x1, x2, y)${preset && preset.names ? `: ${preset.names}` : ""}`);
  }

  function render() {
    const editing = Page.state.mode === "table";
    show("table-tools", editing);
    show("edit", !editing);
    if (editing) renderEditor(); else renderMatrix();
  }

  // ------------------------------------------------------------------ changes

  let start = null; // the table when the edit began: what is rescaled keeps its proportions

  function begin() { start = W.tableOf(Page.state); }

  /** The table in force becomes the new one. */
  function edit(input) {
    if (!start) begin();
    const x = input.value.trim() === "" ? NaN : Number(input.value);
    const base = W.edited(W.tableOf(Page.state), start, Number(input.dataset.place), x, $("keep").checked);
    Page.change({ base, rho: null, e: 0 }, true);
  }

  function resize() {
    const before = W.tableOf(Page.state);
    const read = (axis, most) => Math.min(most, Math.max(1, Math.round(Number($(`size-${axis}`).value)) || before[axis]));
    const [N, M, K] = ["N", "M", "K"].map((axis) => read(axis, W.LARGEST[axis]));
    const base = C.fill(N, M, K, (i, j, k) => (i < before.N && j < before.M && k < before.K ? before.p[(i * before.M + j) * before.K + k] : 0));
    Page.change({ base, rho: null, e: 0 }, true);
  }

  /** The present question on images as a table to edit. */
  function fromImages() {
    const { state } = Page;
    const most = Math.min(W.LARGEST.N, W.LARGEST.M, state.task === "match" && state.gate !== "sum" ? 9 : W.LARGEST.K);
    const k = Math.min(state.k, most);
    const base = W.tableOf({ ...state, k });
    Page.choose("", { mode: "table", base, rho: null, e: 0, guess: state.guess });
    if (k < state.k) write("notice", `A table has at most ${most} values a source: the same question with ${k} values.`);
  }

  function listen() {
    $("table").addEventListener("focusin", (event) => { if (event.target.dataset.place) begin(); });
    $("table").addEventListener("pointerdown", (event) => { if (event.target.dataset.place) begin(); });
    $("table").addEventListener("input", (event) => { if (event.target.dataset.place) edit(event.target); });
    // What was typed is rounded to what is kept once the field is left.
    $("table").addEventListener("focusout", () => { start = null; Page.change({}); });
    $("normalize").addEventListener("click", () => Page.change({ base: C.normalized(W.tableOf(Page.state)), rho: null, e: 0 }, true));
    for (const axis of ["N", "M", "K"]) $(`size-${axis}`).addEventListener("change", resize);
    $("edit").addEventListener("click", fromImages);
  }

  return { render, listen, fromImages };
})();
