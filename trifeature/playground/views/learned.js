/* What networks learned: recorded curves, one claim, the epochs as a film, and one frame with the data. */
const Learned = (() => {
  "use strict";

  const { $, make, svg, write, show, runs, ticks, inThousands, plural, W, C } = Page;
  const COLORS = ["#0072B2", "#D55E00", "#009E73", "#AA4499", "#7a5300", "#767676"];
  const MARKERS = ["circle", "square", "triangle", "diamond", "cross", "bar"];
  const COLUMNS = W.ATOMS;
  const TASKS = { R: "shape", U1: "texture1", U2: "texture2", S: "match" };
  const TITLES = { R: "R: the shared shape", U1: "U1: texture of image 1", U2: "U2: texture of image 2", S: "S: does the color match?" };
  let epoch = 0; // the one shown

  // ------------------------------------------------------------------ which runs, how measured

  /** After six runs the colors come again, each with the next marker, hollow every other time. */
  function styleOf(index) {
    const lap = Math.floor(index / COLORS.length);
    return { color: COLORS[index % COLORS.length], marker: MARKERS[(index + lap) % MARKERS.length], hollow: lap % 2 === 1 };
  }

  const opening = () => runs.arms.filter((arm) => arm.default).map((arm) => arm.id);
  const shownIds = () => (Page.state.arms.length ? Page.state.arms : opening());
  const shownArms = () => runs.arms.map((arm, index) => ({ ...arm, ...styleOf(index) })).filter((arm) => shownIds().includes(arm.id));

  /**
   * The column of the rows that a panel shows. Few pairs keep the map, so a probe may know much of
   * the match and yet say "no" to all: where rows have them, S is read by AUC, and in bits from
   * the probe that weighs matches and mismatches equally.
   */
  function readAs(column, unit = Page.state.unit) {
    const reading = unit === "accuracy" ? "S_auc" : "S_balanced";
    return column === "S" && runs.readings.includes(reading) ? reading : column;
  }

  const classesOf = (column) => (column === "S" ? 2 : runs.classes);

  /** An accuracy as bits that it proves at least (Fano), or as it is. */
  function measured(accuracy, column) {
    return Page.state.unit === "accuracy" ? 100 * accuracy : C.fano(accuracy, classesOf(column));
  }

  const meanOf = (values) => values.reduce((total, x) => total + x, 0) / values.length;
  const spreadOf = (values) => Math.sqrt(values.reduce((sum, v) => sum + (v - meanOf(values)) ** 2, 0) / (values.length - 1));

  /** For every epoch the accuracies of its seeds, and their mean and range as they are shown. */
  function curve(series, column, read = readAs(column)) {
    const epochs = [...new Set(series.flatMap((run) => run.epochs))].sort((x, y) => x - y);
    return epochs.map((at) => {
      const values = series.filter((run) => run.epochs.includes(at)).map((run) => run[read][run.epochs.indexOf(at)]);
      const shown = values.map((value) => measured(value, column));
      return { epoch: at, values, mean: meanOf(shown), low: Math.min(...shown), high: Math.max(...shown) };
    });
  }

  /** R and U of a run are those of unbiased training, S that of biased training. */
  const seriesOf = (arm, column) => (column === "S" ? arm.biased : arm.unbiased.length ? arm.unbiased : arm.biased);
  const exactOf = (column) => Math.log2(classesOf(column));
  const chanceOf = (column) => 100 / classesOf(column);
  const pointAt = (series, column, read) => curve(series, column, read).find((point) => point.epoch === epoch) || null;

  /** The last epoch of the runs shown. */
  const lastShown = () => Math.max(0, ...shownArms().flatMap((arm) => [...arm.biased, ...arm.unbiased].flatMap((run) => run.epochs)));

  // ------------------------------------------------------------------ curves

  function marker({ marker: kind, color, hollow }, x, y) {
    const style = hollow ? { class: "hollow", stroke: color, "stroke-width": 2 } : { fill: color, class: "mark" };
    const shapes = {
      circle: () => svg("circle", { cx: x, cy: y, r: 5, ...style }),
      square: () => svg("rect", { x: x - 4.5, y: y - 4.5, width: 9, height: 9, ...style }),
      triangle: () => svg("path", { d: `M${x} ${y - 6}l6 10h-12z`, ...style }),
      diamond: () => svg("path", { d: `M${x} ${y - 6.5}l6 6.5l-6 6.5l-6 -6.5z`, ...style }),
      cross: () => svg("path", { d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`, stroke: color, "stroke-width": 2.5, fill: "none" }),
      bar: () => svg("rect", { x: x - 2, y: y - 6.5, width: 4, height: 13, ...style }),
    };
    return shapes[kind]();
  }

  /** Ticks of a panel. Where little of what is in the data was learned, the axis is drawn out and
   *  says so; the frame below keeps the proportions. */
  function curveMarks(column) {
    if (Page.state.unit === "accuracy") return column === "S" ? [40, 60, 80, 100] : [0, 25, 50, 75, 100];
    const most = Math.max(0.02, ...shownArms().flatMap((arm) => [...arm.biased, ...arm.unbiased].flatMap((run) => run[readAs(column)].map((a) => measured(a, column)))));
    return ticks(most < 0.3 * exactOf(column) ? most : exactOf(column));
  }

  function drawCurves(column) {
    const holder = $(`curve-${column}`);
    const width = Math.max(200, holder.clientWidth || 260);
    const [height, left, top] = [180, 34, 8];
    const last = lastShown();
    const marks = curveMarks(column);
    const [low, most] = [marks[0], marks[marks.length - 1]];
    const x = (at) => left + ((width - left - 8) * at) / Math.max(1, last);
    const y = (value) => top + (height - top) * (1 - (Math.min(most, Math.max(low, value)) - low) / (most - low));
    const chart = svg("svg", { viewBox: `0 0 ${width} ${height + 34}`, height: height + 34, role: "img", "aria-label": `${column} over training; the numbers stand in the table below` });
    for (const mark of marks) chart.append(svg("line", { x1: left, x2: width, y1: y(mark), y2: y(mark), class: "grid" }),
      svg("text", { x: left - 6, y: y(mark) + 4, class: "small", "text-anchor": "end" }, String(+mark.toFixed(2))));
    for (const at of new Set([0, Math.round(last / 2), last])) chart.append(svg("text", { x: x(at), y: height + 16, class: "small", "text-anchor": "middle" }, String(at)));
    chart.append(svg("text", { x: width, y: height + 31, class: "small", "text-anchor": "end" }, "epoch"));
    drawReference(chart, column, { most, left, width, y });
    chart.append(svg("line", { x1: x(epoch), x2: x(epoch), y1: top, y2: height, class: "now" }));
    for (const arm of shownArms()) {
      if (column === "S" && arm.unbiased.length) drawCurve(chart, curve(arm.unbiased, column), arm, x, y, true);
      drawCurve(chart, curve(seriesOf(arm, column), column), arm, x, y, false);
    }
    holder.replaceChildren(chart);
  }

  /** What is in the data, in bits, or what guessing scores. */
  function drawReference(chart, column, { most, left, width, y }) {
    const bits = Page.state.unit === "bits";
    const exact = bits ? exactOf(column) : chanceOf(column);
    if (exact > most) return chart.append(svg("text", { x: left + 3, y: y(most) + 14, class: "small" }, `↑ in the data: ${W.inBits(exact)}, far above`));
    const words = { x: left + 3, y: y(exact) + 15, "text-anchor": "start" };
    chart.append(svg("line", { x1: left, x2: width, y1: y(exact), y2: y(exact), class: "reference" }), svg("text", { ...words, class: "small" }, bits ? "in the data" : "guessing"));
  }

  function drawCurve(chart, points, arm, x, y, control) {
    if (!points.length) return;
    const at = (point, key) => `${x(point.epoch).toFixed(1)} ${y(point[key]).toFixed(1)}`;
    const line = points.map((point) => at(point, "mean")).join("L");
    const band = [...points.map((point) => at(point, "high")), ...points.slice().reverse().map((point) => at(point, "low"))].join("L");
    if (!control) chart.append(svg("path", { d: `M${band}Z`, fill: arm.color, opacity: 0.18 }));
    chart.append(svg("path", { d: `M${line}`, fill: "none", stroke: arm.color, "stroke-width": 2, "stroke-dasharray": control ? "6 4" : "none", opacity: control ? 0.8 : 1 }));
    if (!control) for (const point of points) chart.append(marker(arm, x(point.epoch), y(point.mean)));
  }

  // ------------------------------------------------------------------ numbers

  function reading(series, column, read) {
    const point = pointAt(series, column, read);
    if (!point) return "–";
    const unit = Page.state.unit === "accuracy" ? (x) => x.toFixed(1) : (x) => x.toFixed(2);
    const values = point.values.map((value) => measured(value, column));
    return `${unit(meanOf(values))}${values.length > 1 ? ` ± ${unit(spreadOf(values))}` : ""}`;
  }

  function renderReadings() {
    const bits = Page.state.unit === "bits";
    const byAuc = readAs("S") === "S_auc";
    const heads = ["run", "R", "U1", "U2", ...(byAuc ? ["S, AUC", "control", "S", "control"] : ["S", "S control"]), "seeds"];
    const header = make("tr", {}, ...heads.map((word) => make("th", { scope: "col" }, word)));
    const rows = shownArms().map((arm) => make("tr", {}, make("th", { scope: "row" }, arm.label),
      ...COLUMNS.map((column) => make("td", {}, reading(seriesOf(arm, column), column))),
      make("td", {}, reading(arm.unbiased, "S")),
      ...(byAuc ? [make("td", {}, reading(arm.biased, "S", "S")), make("td", {}, reading(arm.unbiased, "S", "S"))] : []),
      make("td", {}, String(Math.max(arm.biased.length, arm.unbiased.length)))));
    if (bits) rows.push(make("tr", {}, make("th", { scope: "row" }, "in the data"), ...COLUMNS.map((column) => make("td", {}, W.bits(exactOf(column)))), make("td", {}, "1"), make("td", {}, "")));
    const words = bits ? `Bits at least, by Fano's inequality: mean ± standard deviation over seeds.${runs.readings.includes("S_balanced") ? " S: from a probe that weighs matches and mismatches equally." : ""}`
      : `Macro accuracy${byAuc ? " (AUC where it says so)" : ""} in per cent: mean ± standard deviation over seeds.`;
    const gaps = shownArms().some((arm) => !pointAt(seriesOf(arm, "S"), "S")) ? " –: not probed at this epoch." : "";
    $("readings").replaceChildren(make("table", { class: "plain" }, make("caption", {}, words + gaps), make("thead", {}, header), make("tbody", {}, ...rows)));
  }

  // ------------------------------------------------------------------ one frame

  function axis(chart, marks, scale, top, bottom) {
    const last = marks[marks.length - 1];
    for (const x of marks) {
      const crowded = x !== last && scale(last) - scale(x) < 64 && x !== 0; // its number would meet the unit
      chart.append(svg("line", { x1: scale(x), x2: scale(x), y1: top, y2: bottom, class: "grid" }),
        svg("text", { x: scale(x), y: bottom + 15, class: "small", "text-anchor": x === last ? "end" : "middle" }, crowded ? "" : x === last ? `${+x.toFixed(2)} ${x === 1 ? "bit" : "bits"}` : String(+x.toFixed(2))));
    }
  }

  /** One line a part: exact value, band of samples, and marks of what was learned with their range. */
  function drawFrame(id, rows) {
    const width = Page.widthOf(id);
    const marksOf = (row) => row.marks || [];
    const values = rows.flatMap((row) => [row.exact, row.band ? row.band.high : 0, ...marksOf(row).flatMap((mark) => [mark.value, mark.high ?? 0])]);
    const marks = ticks(Math.max(0.1, ...values));
    const left = 34;
    const scale = (x) => left + ((width - left - 10) * Math.max(0, x)) / marks[marks.length - 1];
    const tall = 34 + 13 * Math.max(0, ...rows.map((row) => marksOf(row).length - 1));
    const bottom = rows.length * tall;
    const words = rows.map((row) => `${row.name}: exact ${W.bits(row.exact)}${row.band ? `, samples ${W.bits(row.band.low)} to ${W.bits(row.band.high)}` : ""}${marksOf(row).map((mark) => `, ${mark.label} ${W.bits(mark.value)}`).join("")}`);
    const chart = svg("svg", { viewBox: `0 0 ${width} ${bottom + 20}`, height: bottom + 20, role: "img", "aria-label": `${words.join("; ")} bits` });
    axis(chart, marks, scale, 0, bottom);
    rows.forEach((row, index) => {
      const y = index * tall + tall / 2;
      if (index) chart.append(svg("line", { x1: 0, x2: width, y1: index * tall, y2: index * tall, class: "grid" }));
      chart.append(svg("text", { x: 2, y: y + 5, class: "strong" }, row.name));
      if (row.band) chart.append(
        svg("rect", { x: scale(row.band.low) - 1, y: y - tall / 2 + 4, width: Math.max(4, scale(row.band.high) - scale(row.band.low) + 2), height: tall - 8, fill: Bars.COLORS[row.name], opacity: 0.4, rx: 2 }),
        svg("circle", { cx: scale(row.band.mean), cy: y, r: 3.5, class: "dot" }));
      chart.append(svg("line", { x1: scale(row.exact), x2: scale(row.exact), y1: y - tall / 2 + 2, y2: y + tall / 2 - 2, class: "exact" }));
      marksOf(row).forEach((mark, place, all) => {
        const level = y + 13 * (place - (all.length - 1) / 2);
        if (mark.high !== undefined) chart.append(svg("line", { x1: scale(mark.low), x2: scale(mark.high), y1: level, y2: level, stroke: mark.style.color, "stroke-width": 3, opacity: 0.45 }));
        chart.append(marker(mark.style, scale(mark.value), level));
      });
    });
    $(id).replaceChildren(chart);
  }

  const coded = () => Boolean(runs.codes && runs.codes.length);

  /** Bits of the label of a part in the pairs of the frame: the test pairs of the codes, as drawn, or
   *  what a probe can prove that weighs matches and mismatches equally. */
  const heldOf = (column) => (coded() ? runs.codes_reference[TASKS[column]].law[column] : exactOf(column));

  let band = null;

  /** How far a count of as many pairs as the probes were scored on would scatter. */
  function countSamples() {
    if (band || !runs) return;
    band = {};
    const chance = 1 / runs.classes;
    for (const [column, task] of Object.entries(TASKS)) {
      const law = C.taskTable(task, runs.classes, task === "match" && !coded() ? 0.5 : chance, 0);
      Samples.simulate(law, runs.pairs, 20, 1, (found) => {
        band[column] = found[column];
        if (Object.keys(band).length === 4) renderFrame();
      }, () => true);
    }
  }

  const markInWords = ({ label, hollow, marker: kind }) => `${label} (${hollow ? "hollow " : ""}${kind})`;

  /** Atoms of a model's own codes where they were measured, else the bits that its probes prove. */
  function markOf(arm, column) {
    const codes = coded() && runs.codes.find((one) => one.arm === arm.id && one.task === TASKS[column]);
    if (codes) { const found = codes.atoms[column]; return { label: arm.label, value: found.mean, low: found.low, high: found.high, style: arm }; }
    if (coded()) return null;
    const point = pointAt(seriesOf(arm, column), column, readAs(column, "bits"));
    return point ? { label: arm.label, value: meanOf(point.values.map((value) => C.fano(value, classesOf(column)))), style: arm } : null;
  }

  function renderFrame() {
    const source = coded() ? runs.codes_words : "Marks: bits that the probes prove at least, by Fano's inequality; for S, matches and mismatches count equally.";
    write("frame-text", `Thick line: what the ${coded() ? "test pairs hold" : "law of the pairs holds"}. Shaded: 90 % of counts from ${inThousands(runs.pairs)} pairs, as many as the probes were scored on (dot: mean). ${source} ${shownArms().filter((arm) => COLUMNS.some((column) => markOf(arm, column))).map(markInWords).join(", ")}.`);
    drawFrame("frame", COLUMNS.map((name) => ({ name, exact: heldOf(name), band: band ? band[name] : undefined, marks: shownArms().map((arm) => markOf(arm, name)).filter(Boolean) })));
  }

  // ------------------------------------------------------------------ building and drawing

  const runInWords = (run) => `seed ${run.seed} (${run.key})`;

  const sampleLine = (style) => svg("svg", { width: 28, height: 14, "aria-hidden": "true" }, svg("line", { x1: 0, x2: 28, y1: 7, y2: 7, stroke: style.color, "stroke-width": 2 }), marker(style, 14, 7));

  function build() {
    if (!runs) {
      show("learned-body", false);
      return write("learned-sub", "This page was built without recorded runs. Build it with: trifeature playground OUT.html --rows FILE, where FILE holds rows that comm-probe wrote.");
    }
    write("claim", runs.claim);
    write("codes-claim", runs.codes_claim);
    write("learned-sub", `Linear probes read trained networks, epoch by epoch. Solid: S after training on pairs that match; dashed, its control: after training on pairs that match only by chance. S counts only above its control.`);
    write("how", `${runs.preset}; ${runs.classes} values of each attribute. R and U are read after training on unbiased pairs. Shaded: from the lowest to the highest seed.${runs.readings.includes("S_auc") ? " As an accuracy, S is read by AUC: how often the probe puts a pair that matches before one that does not; guessing scores 50." : ""}`);
    $("arms").append(...runs.arms.map((arm, index) => make("label", {}, make("input", { type: "checkbox", value: arm.id }), sampleLine(styleOf(index)), arm.label)));
    write("arms-summary", `Choose among ${plural(runs.arms.length, "run")}`);
    $("curves").append(...COLUMNS.map((column) => make("figure", {}, make("figcaption", { id: `title-${column}` }, TITLES[column]), make("div", { id: `curve-${column}` }))));
    const words = (series) => (series.length ? series.map(runInWords).join(", ") : "none");
    $("runs").append(...runs.arms.map((arm) => make("li", {}, `${arm.label}: ${arm.words}. Trained on pairs that match: ${words(arm.biased)}. Trained on unbiased pairs: ${words(arm.unbiased)}.`)));
    $("runs").append(make("li", {}, `Source: ${runs.source}; ${plural(runs.rows, "row")}.${runs.few.length ? ` Left out, with fewer than three seeds: ${runs.few.join(", ")}.` : ""}`));
    countSamples();
  }

  let key = "";

  function render() {
    if (!runs) return;
    const { state } = Page;
    // A moved slider above changes nothing here.
    const now = JSON.stringify([state.epoch, state.unit, state.arms, Page.widthOf("curves")]);
    if (key === now) return;
    key = now;
    const last = lastShown();
    epoch = state.epoch < 0 ? last : Math.min(state.epoch, last);
    for (const radio of document.getElementsByName("unit")) radio.checked = radio.value === state.unit;
    const ids = shownIds();
    for (const box of $("arms").querySelectorAll("input")) box.checked = ids.includes(box.value);
    $("arms-key").replaceChildren(...shownArms().map((arm) => make("span", { class: "arm" }, sampleLine(arm), arm.label)));
    $("epoch").max = last;
    Page.setValue("epoch", epoch);
    write("epoch-out", String(epoch));
    $("epoch").setAttribute("aria-valuetext", `epoch ${epoch} of ${last}`);
    const sentences = runs.epoch_sentences || {};
    write("epoch-text", sentences[epoch] || "");
    write("title-S", readAs("S") === "S_auc" ? "S, by AUC: is it a match?" : TITLES.S);
    for (const column of COLUMNS) drawCurves(column);
    renderReadings();
    renderFrame();
  }

  // ------------------------------------------------------------------ listening

  let film = 0;

  function stop() {
    clearTimeout(film);
    film = 0;
    $("play-epochs").setAttribute("aria-pressed", "false");
    write("play-epochs", "Play the epochs");
  }

  /** One epoch after the other, each long enough to read its sentence. */
  function play() {
    if (film) return stop();
    $("play-epochs").setAttribute("aria-pressed", "true");
    write("play-epochs", "Stop");
    const probed = [...new Set(shownArms().flatMap((arm) => arm.biased.flatMap((run) => run.epochs)))].sort((x, y) => x - y);
    const next = (place) => {
      Page.change({ epoch: probed[place] });
      film = place + 1 < probed.length ? setTimeout(next, Math.max(700, 9000 / probed.length), place + 1) : setTimeout(stop, 0);
    };
    next(0);
  }

  /** The epoch under the pointer. */
  function scrub(event) {
    const chart = event.target.closest("svg");
    if (!chart) return;
    const box = chart.getBoundingClientRect();
    const share = (event.clientX - box.left - 34) / (box.width - 42);
    Page.change({ epoch: Math.round(Math.min(1, Math.max(0, share)) * lastShown()) });
  }

  function listen() {
    if (!runs) return;
    $("epoch").addEventListener("input", () => Page.change({ epoch: Number($("epoch").value) }));
    for (const radio of document.getElementsByName("unit")) radio.addEventListener("change", () => Page.change({ unit: radio.value }));
    $("arms").addEventListener("change", () => {
      const chosen = [...$("arms").querySelectorAll("input")].filter((box) => box.checked).map((box) => box.value);
      const same = chosen.join() === opening().join();
      Page.change({ arms: same ? [] : chosen });
      if (!chosen.length) key = ""; // none chosen: the opening three again
    });
    $("same-data").addEventListener("click", () => { Page.choose("", { k: runs.classes, task: "match", rho: 1 }); $("question").scrollIntoView({ block: "center" }); });
    $("play-epochs").addEventListener("click", play);
    $("curves").addEventListener("pointerdown", scrub);
    $("curves").addEventListener("pointermove", (event) => { if (event.buttons) scrub(event); });
  }

  return { build, render, listen, drawFrame, stop };
})();
