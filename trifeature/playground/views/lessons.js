/* The guided path of six steps, the ten beliefs, the exercises. */
const Lessons = (() => {
  "use strict";

  const { $, make, write, show, W } = Page;
  const moved = new Set(); // controls that were touched in the present step
  const answers = {}; // by step: the option chosen
  const firsts = {}; // by belief: whether the first answer was right
  let exercise = ""; // the one that was started
  let step = -1;

  // ------------------------------------------------------------------ the guided path

  /** What rows say of the opening three, for the step on what a model keeps. */
  function summary() {
    if (!Page.runs) return { arms: [] };
    const mean = (series) => { const last = series.map((run) => (run.S_auc || run.S).at(-1)); return last.length ? last.reduce((x, y) => x + y, 0) / last.length : null; };
    return { arms: Page.runs.arms.filter((arm) => arm.default).map((arm) => ({ label: arm.label, S: mean(arm.biased), control: mean(arm.unbiased), seeds: arm.biased.length })) };
  }

  const stepOf = () => W.STEPS[Page.state.step - 1] || null;

  function enter() {
    step = Page.state.step;
    moved.clear();
  }

  function renderOptions(lesson) {
    const options = W.optionsOf(lesson, summary());
    const chosen = answers[step];
    const wanted = `${step} ${chosen}`;
    if ($("path-options").dataset.for !== wanted) {
      $("path-options").dataset.for = wanted;
      $("path-options").replaceChildren(...options.map((option, place) => make("button", {
        type: "button", "data-option": place, "aria-pressed": String(chosen === place), class: chosen === place && (option.right ? "right" : "wrong"),
      }, option.text)));
    }
    const picked = options[chosen];
    write("path-why", picked ? `${picked.right ? "Right." : "Not so."} ${picked.why}` : "");
  }

  function renderPath() {
    const lesson = stepOf();
    show("path", Boolean(lesson));
    show("path-bar", Boolean(lesson));
    show("invite", !lesson && !Page.state.preset && Page.state.mode === "images" && !Page.state.guess);
    document.body.classList.toggle("on-path", Boolean(lesson));
    document.body.classList.toggle("waiting", Boolean(lesson) && answers[Page.state.step] === undefined && lesson.veiled);
    if (!lesson) { step = 0; return; }
    if (step !== Page.state.step) enter();
    write("path-title", `Step ${step} of ${W.STEPS.length}: ${lesson.title}`);
    write("path-text", lesson.text);
    const seen = { moved, guessed: Stage.guessed(), answered: answers[step] !== undefined };
    const did = Page.atoms && lesson.done(Page.state, Page.atoms, seen);
    write("path-task", `${did ? "✓" : "2."} ${lesson.task}`);
    $("path-task").classList.toggle("done", Boolean(did));
    write("path-question", lesson.question);
    renderOptions(lesson);
    $("path-back").disabled = step === 1;
    write("path-next", step === W.STEPS.length ? "To the ten beliefs" : "Next");
    $("path-next").classList.toggle("strong", seen.answered);
    [...$("path-dots").children].forEach((dot, place) => dot.firstChild[place + 1 === step ? "setAttribute" : "removeAttribute"]("aria-current", "step"));
  }

  /** Parts that the present step leaves out. */
  const leftOut = (part) => { const lesson = stepOf(); return Boolean(lesson && STEPPED.has(part) && !lesson.show.includes(part)); };
  /** Parts that a step may leave out; the others are always there. */
  const STEPPED = new Set(["key", "guesses", "task", "rho", "share", "k", "e", "gate", "presets", "mode", "table", "pairs", "sweep", "learned", "numbers", "compare", "samples", "python", "paste", "beliefs", "exercises", "predict", "seed", "map", "mark", "stage", "bars", "answer"]);

  function go(wanted) {
    if (wanted < 1 || wanted > W.STEPS.length) return leave(wanted > W.STEPS.length);
    Page.follow(`#${W.STEPS[wanted - 1].hash}`);
    $("path-title").scrollIntoView({ block: "start" });
    $("path-title").focus({ preventScroll: true });
  }

  function leave(finished) {
    Page.choose("");
    $(finished ? "beliefs-title" : "question").scrollIntoView({ block: "start" });
    $(finished ? "beliefs-title" : "bits-title").focus({ preventScroll: true });
  }

  // ------------------------------------------------------------------ beliefs and exercises

  const goto = (hash, words, about) => make("a", { href: `#${hash}`, "data-go": "" }, words, make("span", { class: "quiet" }, `: ${about}`));

  function buildBeliefs() {
    $("beliefs").append(...W.BELIEFS.map((belief) => make("li", { "data-id": belief.id }, make("q", {}, belief.belief), make("p", { class: "asked" }, belief.question || belief.names),
      make("div", { class: "options", "data-belief": belief.id }, ...(belief.options || []).map((option, place) => make("button", { type: "button", "data-option": place, "aria-pressed": "false" }, option.text))),
      make("p", { class: "why", "aria-live": "polite" }),
      make("div", { class: "go" }, goto(`preset=${belief.id}&guess=1`, "Predict the bars", belief.belief), goto(`preset=${belief.id}`, "See it", belief.belief)))));
  }

  function answerBelief(button) {
    const box = button.closest("[data-belief]");
    const belief = W.BELIEFS.find((one) => one.id === box.dataset.belief);
    const option = belief.options[button.dataset.option];
    for (const other of box.children) {
      other.setAttribute("aria-pressed", String(other === button));
      other.className = other === button ? (option.right ? "right" : "wrong") : "";
    }
    write(box.parentElement.querySelector(".why"), `${option.right ? "Right." : "Not so."} ${option.why}`);
    firsts[belief.id] ??= option.right;
    const first = Object.values(firsts);
    write("beliefs-score", `${first.filter(Boolean).length} of ${first.length} right at the first try; ten in all.`);
  }

  function buildExercises() {
    $("exercises").append(...W.EXERCISES.map(({ id, text, start }) => make("li", { "data-exercise": id }, `${text} `, goto(start, "Start", text), make("span", { class: "done", id: `exercise-${id}`, role: "status" }))));
  }

  function renderExercises() {
    for (const one of W.EXERCISES)
      if (one.id === exercise && Page.atoms && one.done(Page.state, Page.atoms)) write(`exercise-${one.id}`, " Solved ✓"); // once solved, it stays so
  }

  /** All answers: the page may have another reader now. */
  function forget() {
    for (const given of [answers, firsts]) for (const name of Object.keys(given)) delete given[name];
    exercise = "";
    write("beliefs-score", "");
    for (const button of $("beliefs").querySelectorAll("[data-belief] button")) Object.assign(button, { className: "" }).setAttribute("aria-pressed", "false");
    for (const place of document.querySelectorAll("#beliefs .why, #exercises .done")) write(place, "");
  }

  function build() {
    $("path-dots").append(...W.STEPS.map((lesson, place) => make("li", {}, make("a", { href: `#${lesson.hash}`, "data-go": "", "aria-label": `Step ${place + 1}: ${lesson.title}` }, String(place + 1)))));
    buildBeliefs();
    buildExercises();
  }

  function render() {
    const { state } = Page;
    renderPath();
    renderExercises();
    for (const item of $("beliefs").children) item.classList.toggle("now", item.dataset.id === state.preset);
  }

  function listen() {
    $("path-options").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      answers[step] = Number(button.dataset.option);
      Page.draw(); // all of it: the charts that waited had no width
      const again = $("path-options").querySelector(`[data-option="${button.dataset.option}"]`);
      if (again) again.focus({ preventScroll: true });
    });
    $("path-next").addEventListener("click", () => go(step + 1));
    $("path-back").addEventListener("click", () => go(step - 1));
    $("path-leave").addEventListener("click", () => leave(false));
    $("beliefs").addEventListener("click", (event) => { const button = event.target.closest("[data-belief] button"); if (button) answerBelief(button); });
    $("exercises").addEventListener("click", (event) => { const item = event.target.closest("a") && event.target.closest("[data-exercise]"); if (item) exercise = item.dataset.exercise; });
    document.addEventListener("click", (event) => { if (event.target.id) moved.add(event.target.id); });
    document.addEventListener("input", (event) => { if (event.target.id) moved.add(event.target.id); if (event.target.dataset.place) moved.add("table"); });
  }

  return { build, render, listen, leftOut, forget };
})();
