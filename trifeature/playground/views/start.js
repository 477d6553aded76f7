/* The page as a whole: one `render` that draws every view, the controls, and what is hidden. */
(() => {
  "use strict";

  const { $, make, write, show, setValue, hidden, secret, W, C } = Page;

  // ------------------------------------------------------------------ drawing

  function render() {
    const { state } = Page;
    Page.atoms = W.atomsOf(state);
    Page.table = W.tableOf(state);
    Lessons.render();
    renderHidden(); // before what is drawn: a chart has no width while it is hidden
    Page.laidOut(JSON.stringify([document.body.className, state.mode, state.task, state.step, state.hide, state.guess, state.shown, state.n, state.gate]));
    renderControls();
    renderSentence();
    Stage.render();
    Table.render();
    Bars.render();
    renderBelow();
    renderTools();
    Learned.render();
    Links.again();
  }

  /** What a link hides, what a step leaves out, and what the present law has no use for. */
  function renderHidden() {
    for (const element of document.querySelectorAll("[data-part]"))
      element.classList.toggle("gone", hidden(element.dataset.part) || Lessons.leftOut(element.dataset.part));
    const { state } = Page;
    const images = state.mode === "images";
    const mapped = images && state.gate === "match";
    show("field-rho", !images || (mapped && ["match", "texture1"].includes(state.task)));
    show("field-share", images && state.task === "shape");
    show("field-k", images);
    show("field-gate", images);
    show("frame-box", !secret() && !W.ATOMS.some(hidden)); // its atoms are of another law, and could be taken for the answer
  }

  function dial(id, value, words) {
    setValue(id, value);
    write(`${id}-out`, words.short);
    $(id).setAttribute("aria-valuetext", words.long);
  }

  function renderControls() {
    const { state } = Page;
    const images = state.mode === "images";
    placeTable(images);
    $("preset").options[0].textContent = images ? "Free play: pairs of images" : "A table of my own";
    $("preset").value = state.preset;
    for (const radio of document.getElementsByName("mode")) radio.checked = radio.value === state.mode;
    renderRate(images);
    dial("share", state.share, { short: W.percent(state.share), long: `${W.percent(state.share)} of the pairs share their shape` });
    write("share-hint", `how often both images show the same shape; by chance ${W.percent(1 / state.k)}`);
    dial("k", state.k, { short: String(state.k), long: `${state.k} values of each attribute` });
    dial("e", state.e, { short: W.percent(state.e), long: `${W.percent(state.e)} of the labels are wrong` });
    setValue("gate", state.gate);
    $("compare").checked = state.compare;
    $("n").value = String(state.n);
    $("mark").checked = state.mark;
    $("predict").setAttribute("aria-pressed", String(state.guess));
    write("predict", state.guess ? "Stop predicting" : "Predict first");
  }

  /** A table to edit stands below its pair; the law of the images beside the gallery. */
  function placeTable(images) {
    document.body.classList.toggle("table-mode", !images);
    const home = images ? $("bench") : $("table-here");
    if ($("table-card").parentElement !== home) home.append($("table-card"));
  }

  function renderRate(images) {
    const { state } = Page;
    const matched = !images && !C.problem(state.base) ? C.matchMass(state.base) : null;
    const rho = state.rho === null ? matched : state.rho;
    const fixed = !images && (matched === null || !(matched > 1e-12 && matched < 1 - 1e-12));
    $("rho").disabled = fixed;
    dial("rho", rho ?? 0, { short: rho === null ? "–" : W.percent(rho), long: rho === null ? "no value" : `${W.percent(rho)} of the pairs` });
    write("rho-name", images ? "Match rate" : "X1 equals X2");
    write("rho-hint", images
      ? `how often the color is the one of the map; by chance ${W.percent(1 / state.k)}`
      : matched === null ? "once the table is a probability table" : fixed ? "fixed in this table" : "how often the sources have the same value");
  }

  function renderSentence() {
    const { state, atoms } = Page;
    const open = atoms && !secret() && !W.ATOMS.some(hidden);
    write("sum", open ? headline(atoms) : "");
    write("say", W.sentence(state, atoms));
    $("say").classList.toggle("bad", !atoms);
    const preset = W.PRESETS[state.preset];
    const words = !preset ? "" : preset.belief ? `Belief: “${preset.belief}” ${open ? preset.answer : ""}` : open ? preset.answer : "";
    write("preset-text", words.trim());
  }

  /** Where neither source tells anything alone the sum is worth a headline: 0 + 0 = 1 bit. */
  function headline(atoms) {
    const alone = atoms.R + atoms.U1 + atoms.U2;
    return alone < 5e-4 && atoms.S >= 5e-4 ? `0 + 0 = ${W.inBits(atoms.S)}` : W.shortSentence(Page.state, atoms);
  }

  function renderBelow() {
    const { state, atoms } = Page;
    const comparing = state.compare && atoms && !secret() && !W.ATOMS.some(hidden);
    write("parting", comparing ? W.partSentence(W.measuresOf(state)) : "");
    Samples.render(renderNumbers);
    renderNumbers();
    write("certificate", !atoms || secret() ? "" : !atoms.gap && state.mode === "images" ? "Exact: a closed formula."
      : `Computed here by the package's algorithm and certified: each part is ${atoms.gap < 1e-9 ? "exact to nine decimals" : `within ${(atoms.gap / 2).toPrecision(1)} bits`}.`);
  }

  function renderNumbers() {
    if (!$("numbers-box").open) return;
    const answers = Bars.barRows().map(([name, words, atoms]) => ({ label: words || { answer: "the parts" }[name], atoms }));
    const rows = secret() || !Page.atoms ? [] : [...answers, ...Samples.rows()];
    const cell = (row, name) => make("td", {}, hidden(name) ? "?" : W.bits(row.atoms[name]));
    const total = (row) => (row.sums === false ? "" : W.ATOMS.some(hidden) ? "?" : W.bits(W.ATOMS.reduce((sum, name) => sum + row.atoms[name], 0)));
    const difference = (row) => (row.sums === false ? "" : hidden("R") || hidden("S") ? "?" : W.bits(row.atoms.R - row.atoms.S));
    const header = make("tr", {}, ...["", ...W.ATOMS, "total", "R − S"].map((word) => make(word ? "th" : "td", word ? { scope: "col" } : {}, word)));
    $("numbers").replaceChildren(rows.length
      ? make("table", { class: "plain" }, make("caption", {}, "In bits. R − S is the co-information."), make("thead", {}, header), make("tbody", {}, ...rows.map((row) =>
        make("tr", {}, make("th", { scope: "row" }, row.label), ...W.ATOMS.map((name) => cell(row, name)), make("td", {}, total(row)), make("td", {}, difference(row))))))
      : make("p", {}, secret() ? "Shown with the answer." : "No numbers until the table is a probability table."));
  }

  function renderTools() {
    write("python", Page.atoms ? W.program(Page.state) : "# The table is no probability table yet.");
    $("copy-python").disabled = !Page.atoms || secret();
  }

  // ------------------------------------------------------------------ copying and pasting

  async function copy(text, button) {
    const before = button.textContent;
    let copied = true;
    try { await navigator.clipboard.writeText(text); } catch { copied = copyBySelection(text); }
    write(button, copied ? "Copied" : "Could not copy");
    setTimeout(() => write(button, before), 1500);
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
    let found;
    try { found = W.readAny($("paste").value, Page.limits()); } catch (problem) { return write("paste-error", problem.message); }
    write("paste-error", "");
    // Neither a program nor a link uncovers what the teacher hid.
    if (found.state) Page.settle({ ...found.state, hide: [...new Set([...Page.kept().hide, ...found.state.hide])] }, found.notes || [], true);
    else Page.choose("", { mode: "table", base: found.table, rho: null, e: 0 });
    $("bits-title").scrollIntoView({ block: "start" });
    $("bits-title").focus({ preventScroll: true });
  }

  // ------------------------------------------------------------------ building and listening

  function buildControls() {
    const option = (preset, words) => make("option", { value: preset.id }, words);
    $("preset").append(make("option", { value: "" }, ""),
      make("optgroup", { label: "Ten beliefs" }, ...W.BELIEFS.map((preset, index) => option(preset, `${index + 1}. ${preset.belief}`))),
      make("optgroup", { label: "Gates and images" }, ...W.GATES.map((preset) => option(preset, preset.gallery && preset.names !== preset.gallery ? `${preset.gallery}: ${preset.names}` : preset.names))));
    $("n").append(...W.SAMPLE_SIZES.map((n) => make("option", { value: n }, n ? `${n.toLocaleString("en")} samples` : "the law")));
    write("hideable", Page.limits().parts.join(", "));
    write("invite-text", "New here?");
  }

  const on = (id, event, act) => $(id).addEventListener(event, act);
  const number = (id) => Number($(id).value);

  function listenControls() {
    on("preset", "change", () => Page.choose($("preset").value));
    for (const radio of document.getElementsByName("mode")) radio.addEventListener("change", () => switchMode(radio.value));
    $("asks-list").addEventListener("change", (event) => Page.change({ task: event.target.value }, true));
    for (const id of ["rho", "share", "e", "k"]) on(id, "input", () => { Bars.stop(); Page.change({ [id]: number(id) }, true); });
    on("gate", "change", () => Page.change({ gate: $("gate").value, task: "match" }, true));
    for (const id of ["compare", "mark"]) on(id, "change", () => Page.change({ [id]: $(id).checked }));
    on("n", "change", () => Page.change({ n: number("n") }));
    on("redraw", "click", () => Page.change({ seed: (Page.state.seed % 999999) + 1 }));
    on("remap", "click", () => Page.change({ map: (Page.state.map % 9999) + 1 }));
    on("play", "click", Bars.play);
    on("numbers-box", "toggle", renderNumbers);
    on("copy-link", "click", () => copy(Page.link(), $("copy-link")));
    on("copy-python", "click", () => copy(W.program(Page.state), $("copy-python")));
    on("use-paste", "click", usePasted);
    on("reset", "click", () => {
      Bars.stop();
      Learned.stop();
      Lessons.forget();
      Page.choose("", { hide: Page.state.hide, arms: [], unit: W.DEFAULTS.unit, epoch: -1 });
      $("keep").checked = true;
      window.scrollTo({ top: 0 });
    });
  }

  function listenGuess() {
    on("predict", "click", () => {
      Page.change({ guess: !Page.state.guess, shown: false, g: [0, 0, 0, 0] });
      if (!Page.state.guess) return;
      Page.draw();
      $("bits-title").scrollIntoView({ block: "start" });
      $("g-U1").focus({ preventScroll: true });
    });
    on("reveal", "click", () => Page.change(Page.state.shown ? { shown: false, g: [0, 0, 0, 0] } : { shown: true }));
    W.ATOMS.forEach((name, c) => on(`g-${name}`, "input", () => {
      const g = [...Page.state.g];
      g[c] = number(`g-${name}`);
      Page.change({ g });
    }));
  }

  /** The same law in the other clothes where it fits, else a preset that does. */
  function switchMode(mode) {
    if (mode === Page.state.mode) return;
    if (mode === "images") return Page.choose("", { guess: Page.state.guess });
    Table.fromImages();
  }

  function goTo(anchor) {
    Page.follow(anchor.getAttribute("href"));
    const target = Page.state.step ? ["path-title", "path-title"] : Page.state.guess ? ["bits-title", "bits-title"] : ["question", "bits-title"];
    $(target[0]).scrollIntoView({ block: "start" });
    $(target[1]).focus({ preventScroll: true });
  }

  function listenWindow() {
    window.addEventListener("hashchange", () => {
      if (location.hash.slice(1) !== W.toHash(Page.state) && !/^#[\w-]+-title$/.test(location.hash)) Page.load(location.hash);
    });
    document.addEventListener("click", (event) => {
      const anchor = event.target.closest("a[data-go], a[data-to], a.skip");
      if (!anchor) return;
      // The link goes where it says even if the address is there already, and the address stays the state's.
      event.preventDefault();
      if (anchor.hasAttribute("data-go")) return goTo(anchor);
      const title = $(anchor.getAttribute("href").slice(1));
      title.scrollIntoView({ block: "start" });
      title.focus({ preventScroll: true });
    });
    let width = window.innerWidth;
    window.addEventListener("resize", () => {
      if (window.innerWidth !== width) { width = window.innerWidth; Page.laidOut(""); Page.change({}); }
    });
  }

  Page.draw = render;
  buildControls();
  for (const view of [Bars, Learned, Lessons]) view.build();
  listenControls();
  listenGuess();
  listenWindow();
  for (const view of [Stage, Table, Learned, Lessons, Links]) view.listen();
  Bars.watch();
  Pixels.load(render);
  Page.load(location.hash);

  // For the tests, and for the curious in the console.
  window.playground = { Core, World, state: () => ({ ...Page.state }), atoms: () => Page.atoms, link: Page.link };
})();
