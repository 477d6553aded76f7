/* What a count of few pairs would say of the present law: means and percentiles, beside the exact atoms. */
const Samples = (() => {
  "use strict";

  const { $, write, show, hidden, secret, inThousands, W, C } = Page;
  let job = 0;
  let key = "";
  let rows = []; // what the samples said, for the table of numbers

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

  function report(band, draws, changed) {
    const { state, atoms } = Page;
    const off = (name) => Math.abs(band[name].mean - atoms[name]);
    Learned.drawFrame("band", W.ATOMS.map((name) => ({ name, exact: atoms[name], band: band[name] })));
    rows = [["mean", "mean"], ["low", "5th percentile"], ["high", "95th percentile"]].map(([which, words]) => ({
      label: `samples of ${inThousands(state.n)}: ${words}`, atoms: Object.fromEntries(W.ATOMS.map((name) => [name, band[name][which]])),
      sums: which === "mean", // percentiles do not add up
    }));
    changed();
    const worst = W.ATOMS.reduce((most, name) => (off(name) > off(most) ? name : most));
    write("band-text", `Bar: 90 % of ${draws} samples of ${state.n} pairs each, counted as they fall; dot: their mean; line: the exact value. On average a sample says ${worst} = ${W.bits(band[worst].mean)}, the law has ${W.bits(atoms[worst])}: the difference is the bias of counting few pairs.`);
  }

  /** Draw the samples' panel; `changed` is called when their numbers are known. */
  function render(changed) {
    const { state, atoms } = Page;
    const wanted = state.n > 0 && atoms && !secret() && !W.ATOMS.some(hidden);
    show("sampling", Boolean(wanted));
    if (!wanted) { job++; key = ""; rows = []; return; }
    const law = Page.table;
    const now = `${state.n} ${state.seed} ${W.encodeTable(law)} ${Page.widthOf("band")}`;
    if (key === now) return;
    key = now;
    const mine = ++job;
    const draws = drawsFor(law);
    write("band-text", `Counting ${draws} samples of ${state.n} pairs …`);
    Learned.drawFrame("band", W.ATOMS.map((name) => ({ name, exact: atoms[name] })));
    rows = [];
    simulate(law, state.n, draws, state.seed, (band) => report(band, draws, changed), () => mine === job);
  }

  return { simulate, render, rows: () => rows };
})();
