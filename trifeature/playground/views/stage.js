/* The stage: one large pair, its key, a question and a guess; and the gallery of pairs below. */
const Stage = (() => {
  "use strict";

  const { $, make, write, show, W, C } = Page;
  const PAIRS = 12;
  const MANY = 2000; // pairs behind the line that counts
  const YES_NO = ["No", "Yes"];

  // ------------------------------------------------------------------ pairs

  let cumulated = { of: null, sums: null };

  /** The cells of the law added up, once for all pairs. */
  function sumsOf(table) {
    if (cumulated.of !== table) cumulated = { of: table, sums: C.cumulated(table.p) };
    return cumulated.sums;
  }

  /** The pair at a place: the same uniform numbers whatever the rates, so that a moved slider changes few. */
  function pairAt(place) {
    const random = C.generator(Page.state.seed * 1000 + place);
    return Page.state.mode === "images" ? W.pairOf(Page.state, random) : W.cellPair(Page.state, random, sumsOf(Page.table));
  }

  /** Whether a pair shows what is asked: its own colors do not distract, and what often fails does fail. */
  function clear(place) {
    const { state } = Page;
    const pair = pairAt(place);
    const plain = pair.color1 !== pair.color2 && pair.texture1 !== pair.texture2;
    if (state.task === "shape") return plain && !W.pairOf({ ...state, share: 0.5 }, C.generator(state.seed * 1000 + place)).shares;
    return plain && (state.task !== "texture1" || !pairAt(place + 1).keeps);
  }

  /** The first pair that does not mislead a newcomer. */
  function firstPlace() {
    const { state } = Page;
    if (state.mode === "table" || state.gate !== "match") return 0;
    return Array.from({ length: PAIRS }, (_, place) => place).find(clear) ?? 0;
  }

  /** A law is opened: no guess was made yet. The place of its first pair. */
  function restart() {
    round.key = "";
    return firstPlace();
  }

  /** The law in one text: the count of pairs changes with it and with the seed only. */
  const lawKey = () => {
    const { mode, task, k, rho, e, share, gate, map, base } = Page.state;
    return JSON.stringify(mode === "images" ? [task, k, rho, e, share, gate, map] : [W.encodeTable(base), rho, e]);
  };

  // ------------------------------------------------------------------ words

  const mapped = () => Page.state.mode === "images" && Page.state.gate === "match";

  function title() {
    const { state } = Page;
    if (state.mode === "table") return "What is Y?";
    if (state.task === "match") return { match: "Does the color match the texture?", parity: "Is just one of the two numbers odd?", and: "Are both numbers odd?", sum: `What is the sum of the two numbers, modulo ${state.k}?` }[state.gate];
    return { shape: state.share < 1 ? "Which shape does image 1 show?" : "Which shape do both images show?", texture1: "Which texture does image 1 have?", texture2: "Which texture does image 2 have?" }[state.task];
  }

  function subtitle() {
    const { state } = Page;
    if (state.mode === "table") return "X1 is drawn as the texture of image 1, X2 as the color of image 2.";
    if (state.task !== "match") return { shape: "Cover one image: does the other still tell it?", texture1: "Cover image 1: does image 2 help?", texture2: "Cover image 2: does image 1 help?" }[state.task];
    return state.gate === "match" ? "Look up the texture of image 1 in the map. Is image 2 of that color?"
      : "The texture of image 1 and the color of image 2 have a number each.";
  }

  /** Why the answer is what it is. */
  function because(pair) {
    const { state } = Page;
    const noise = pair.flipped ? " But this label was replaced by a wrong one: label noise." : "";
    const [texture, color] = [DATA.textures[pair.texture1], DATA.colors[pair.color2]];
    if (state.mode === "table") return `Here X1 = ${pair.x1} and X2 = ${pair.x2}.`;
    const words = {
      shape: `Image 1 shows a ${DATA.shapes[pair.shape]}, image 2 a ${DATA.shapes[pair.shape2 ?? pair.shape]}.`,
      texture1: `Image 1 is filled with “${texture}”.`, texture2: `Image 2 is filled with “${DATA.textures[pair.texture2]}”.`,
      match: state.gate === "match"
        ? `“${texture}” goes with ${DATA.colors[mapOf()[pair.texture1]]}, and image 2 is ${color}.`
        : `“${texture}” is ${pair.texture1}, ${color} is ${pair.color2}.`,
    };
    return words[state.task] + noise;
  }

  const mapOf = () => C.permutation(Page.state.k, Page.state.map);

  // ------------------------------------------------------------------ the key

  const named = (picture, name) => make("span", { class: "entry" }, picture, make("span", { class: "name" }, name));

  function keyRows() {
    const { state } = Page;
    const K = state.k;
    const each = (row) => Array.from({ length: K }, (_, value) => make("li", {}, ...row(value)));
    if (mapped()) {
      const map = mapOf();
      return ["The map", each((t) => [named(Pixels.texture(t), DATA.textures[t]), "→", named(Pixels.swatch(map[t]), DATA.colors[map[t]])])];
    }
    return ["The numbers", each((t) => [named(Pixels.texture(t), DATA.textures[t]), make("b", {}, String(t)), named(Pixels.swatch(t), DATA.colors[t])])];
  }

  let keyFor = "";

  function renderKey() {
    const { state } = Page;
    const rule = state.mode === "table";
    const wanted = rule || state.task === "match" || (state.task === "texture1" && state.gate === "match");
    show("key", wanted);
    if (!wanted) return;
    const preset = W.PRESETS[state.preset];
    const key = rule ? `table ${state.preset} ${state.base.N} ${state.base.M} ${Pixels.ready()}` : `${state.gate} ${state.k} ${state.map} ${Pixels.ready()}`;
    if (key === keyFor) return;
    keyFor = key;
    const [head, rows] = rule
      ? [preset && preset.names ? preset.names : "Y by the table below", [
        ...Array.from({ length: Math.max(state.base.N, state.base.M) }, (_, v) => make("li", {}, ...(v < state.base.N ? [named(Pixels.texture(v), `X1 = ${v}`)] : []), ...(v < state.base.M ? [named(Pixels.swatch(v), `X2 = ${v}`)] : [])))]]
      : keyRows();
    $("key").replaceChildren(make("h2", {}, head), make("ul", { class: rows.length > 5 ? "many" : false }, ...rows));
  }

  // ------------------------------------------------------------------ the pair

  const round = { key: "", tally: {}, answered: null };
  const seen = () => ({ "": "both", 1: "image 2 only", 2: "image 1 only" })[Page.state.cover];

  /** The largest share of right guesses that images 1, 2 or both allow. */
  function bestShare(t, view) {
    const { a, b } = C.marginals(t);
    const cells = { both: t.p, "image 1 only": a, "image 2 only": b }[view];
    let total = 0;
    for (let at = 0; at < cells.length; at += t.K) total += Math.max(...cells.subarray(at, at + t.K));
    return total;
  }

  function renderTwins(pair) {
    const { cover } = Page.state;
    Pixels.images(pair).forEach((image, place) => {
      const side = String(place + 1);
      const covered = cover === side;
      const canvas = $(`image-${side}`);
      canvas.setAttribute("aria-label", covered ? `Image ${side} is covered` : `Image ${side}: ${Pixels.inWords(image)}`);
      $(`twin-${side}`).classList.toggle("covered", covered);
      const button = $(`cover-${side}`);
      button.setAttribute("aria-pressed", String(covered));
      write(button, covered ? "Show" : "Cover");
      button.setAttribute("aria-label", `${covered ? "Show" : "Cover"} image ${side}`);
      Pixels.paintOn(canvas, image, 260);
    });
  }

  function answerPicture(y) {
    const { state } = Page;
    if (state.mode === "table" || state.task === "match") return [];
    return [state.task === "shape" ? Pixels.shape(y) : Pixels.texture(y)];
  }

  function answerNames() {
    if (Page.state.mode === "images" && Page.state.task === "match" && ["parity", "and"].includes(Page.state.gate)) return YES_NO;
    return Page.labels().map((name) => name.charAt(0).toUpperCase() + name.slice(1));
  }

  let answersFor = "";

  function buildAnswers() {
    const names = answerNames();
    const key = `${names.join()} ${Page.state.mode} ${Page.state.task} ${Pixels.ready()}`;
    if (key === answersFor) return;
    answersFor = key;
    const pictured = Page.state.mode === "images" && Page.state.task !== "match";
    $("answers").classList.toggle("pictured", pictured);
    $("answers").replaceChildren(...names.map((name, y) => make("button", { type: "button", "data-y": y, ...(pictured ? { "aria-label": name, title: name } : {}) }, ...answerPicture(y), ...(pictured ? [] : [name]))));
  }

  function renderGuesses(pair) {
    buildAnswers();
    for (const button of $("answers").children) {
      const y = Number(button.dataset.y);
      const done = round.answered !== null;
      button.disabled = done;
      button.classList.toggle("right", done && y === pair.label);
      button.classList.toggle("wrong", done && y === round.answered && y !== pair.label);
    }
    $("next-pair").classList.toggle("strong", round.answered !== null);
    write("feedback", round.answered === null ? "" : `${round.answered === pair.label ? "Right." : `Wrong, the answer is: ${answerNames()[pair.label]}.`} ${because(pair)}`);
    renderTally();
  }

  function renderTally() {
    const items = ["image 1 only", "image 2 only", "both"].map((view) => {
      const [right, total] = round.tally[view] || [0, 0];
      const best = Page.atoms && !Page.secret() && !W.ATOMS.some(Page.hidden) ? `at best ${W.percent(bestShare(Page.table, view))}` : "";
      return make("span", { class: `count${seen() === view ? " now" : ""}` }, make("b", {}, view === "both" ? "both images" : view), ` ${total ? `${right} of ${total} right` : "no guess yet"}`, ...(best ? [make("small", {}, best)] : []));
    });
    $("tally").replaceChildren(...items);
  }

  function renderStage() {
    const { state } = Page;
    const question = `${state.mode} ${state.task} ${state.gate} ${state.preset} ${state.k}`;
    if (question !== round.key) Object.assign(round, { key: question, tally: {}, answered: null });
    write("question", title());
    write("question-sub", subtitle());
    const open = Boolean(Page.atoms);
    for (const id of ["answers", "next-pair", "tally"]) show(id, open);
    for (const side of ["1", "2"]) $(`twin-${side}`).classList.toggle("blank", !open);
    if (!open) {
      for (const side of ["1", "2"]) $(`image-${side}`).setAttribute("aria-label", `Image ${side}: no pair is drawn`);
      write("feedback", "No pairs are drawn until the table is a probability table.");
      return;
    }
    const pair = pairAt(Page.place);
    if (round.pair !== JSON.stringify(pair)) { round.pair = JSON.stringify(pair); round.answered = null; }
    renderTwins(pair);
    renderKey();
    renderGuesses(pair);
    return pair;
  }

  /** What was seen at a guess: "both", "image 1 only", "image 2 only". */
  const guessed = () => new Set(Object.keys(round.tally));

  function guess(y) {
    const pair = pairAt(Page.place);
    round.answered = y;
    const count = round.tally[seen()] || [0, 0];
    round.tally[seen()] = [count[0] + (y === pair.label), count[1] + 1];
    Page.draw();
    if ($("answers").contains(document.activeElement) || document.activeElement === document.body) $("next-pair").focus({ preventScroll: true });
  }

  function go(place) {
    Page.place = place;
    round.answered = null;
    Page.draw();
  }

  /** Cover an image, of a pair that was not seen whole: a guess counts by what was seen. */
  function cover(side) {
    const covers = Page.state.cover !== side;
    if (covers || round.answered !== null) Page.place += 1;
    Page.change({ cover: covers ? side : "" });
  }

  // ------------------------------------------------------------------ the gallery

  const figures = []; // kept, so that a moved slider repaints only the pairs it changes

  function figureAt(place) {
    if (figures[place]) return figures[place];
    const canvas = make("canvas", { "aria-hidden": "true" });
    const caption = make("span", { class: "caption" });
    const root = make("button", { type: "button", class: "pair", "data-place": place }, canvas, caption);
    figures[place] = { root, canvas, caption, drawn: "" };
    return figures[place];
  }

  function renderFigure(place) {
    const figure = figureAt(place);
    const pair = pairAt(place);
    const key = `${JSON.stringify(pair)} ${Pixels.ready()}`;
    if (figure.drawn !== key) { Pixels.paintPair(figure.canvas, pair); figure.drawn = key; }
    const { state } = Page;
    const marked = state.mode === "images" && state.mark && state.gate === "match" && pair.keeps;
    const label = `${answerNames()[pair.label]}${pair.flipped ? " (noise)" : ""}`;
    const detail = state.mode === "table" ? `X1 = ${pair.x1}, X2 = ${pair.x2}` : `${DATA.textures[pair.texture1]} · ${DATA.colors[pair.color2]}${marked ? " ✓" : ""}`;
    figure.caption.replaceChildren(make("b", {}, Page.secret() ? detail : label), Page.secret() ? "" : detail);
    const [one, two] = Pixels.images(pair).map(Pixels.inWords);
    figure.root.setAttribute("aria-label", `Image 1: ${one}. Image 2: ${two}.${Page.secret() ? "" : ` ${label}.`} Put it on the stage.`);
    figure.root.classList.toggle("keeps", marked);
    figure.root.classList.toggle("on", place === Page.place);
    figure.root.dataset.cell = Page.cellOf(pair);
    return figure.root;
  }

  function renderGallery() {
    const { state } = Page;
    const roots = Page.atoms ? Array.from({ length: PAIRS }, (_, place) => renderFigure(place)) : [];
    if ($("pairs").children.length !== roots.length) $("pairs").replaceChildren(...roots);
    write("pairs-sub", !Page.atoms ? "No pairs are drawn until the table is a probability table." : "Choose one: it goes on the stage and lights in the table.");
    write("count", Page.atoms ? counted() : "");
    show("remap", state.mode === "images" && state.gate === "match");
    show("mark-box", state.mode === "images" && state.gate === "match");
  }

  let counts = { key: "", text: "" };

  /** How often the pairs match, or X1 = X2, among many pairs of this seed. */
  function counted() {
    const { state } = Page;
    const key = `${lawKey()} ${state.seed}`;
    if (counts.key === key) return counts.text;
    const random = C.generator(state.seed);
    const sums = C.cumulated(Page.table.p);
    const { M, K } = Page.table;
    let kept = 0;
    for (let draw = 0; draw < MANY; draw++) {
      const cell = C.cellAt(sums, random());
      if (Math.floor(cell / (M * K)) === Math.floor(cell / K) % M) kept++;
    }
    const words = state.mode === "table" ? "have X1 = X2"
      : state.task === "shape" ? "share the shape" : ["texture1", "match"].includes(state.task) && state.gate === "match" ? "match" : "";
    counts = { key, text: words ? `Of ${Page.inThousands(MANY)} pairs drawn, ${Page.inThousands(kept)} ${words}.` : "" };
    return counts.text;
  }

  function render() {
    renderStage();
    renderGallery();
  }

  function listen() {
    $("answers").addEventListener("click", (event) => { const button = event.target.closest("button"); if (button) guess(Number(button.dataset.y)); });
    $("next-pair").addEventListener("click", () => {
      go(Page.place + 1);
      const first = $("answers").querySelector("button");
      if (first) first.focus({ preventScroll: true });
    });
    for (const side of ["1", "2"]) $(`cover-${side}`).addEventListener("click", () => cover(side));
    for (const side of ["1", "2"]) $(`twin-${side}`).querySelector(".frame").addEventListener("click", () => cover(side));
    $("pairs").addEventListener("click", (event) => { const figure = event.target.closest(".pair"); if (figure) go(Number(figure.dataset.place)); });
  }

  return { render, listen, pairAt, restart, guessed, mapOf };
})();
