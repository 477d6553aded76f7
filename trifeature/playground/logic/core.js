/* The mathematics of the page: tables p(x1, x2, y), their atoms, other measures, samples.
 *
 * A classic script without a document: the page inlines it, and node can load it for the tests.
 * Tables are {N, M, K, p}, p flat with p[(i M + j) K + k] = P(X1 = i, X2 = j, Y = k).
 * Everything a caller sees is in bits; the solver works in nats.
 */
const Core = (() => {
  "use strict";

  const LN2 = Math.LN2;
  const SUM_TOLERANCE = 1e-6; // the package's: a table that sums to 1 within this is one
  const TIGHTEST = 1e-9; // wanted width of the certified interval, bits

  // ------------------------------------------------------------------ tables and informations

  const table = (N, M, K, p) => ({ N, M, K, p: p ? Float64Array.from(p) : new Float64Array(N * M * K) });

  /** The uniform distribution over outcomes "x1 x2 y", one digit each: "000 111". */
  function uniform(support) {
    const outcomes = support.trim().split(/\s+/).map((o) => [...o].map(Number));
    const [N, M, K] = [0, 1, 2].map((axis) => 1 + Math.max(...outcomes.map((o) => o[axis])));
    const t = table(N, M, K);
    for (const [i, j, k] of outcomes) t.p[(i * M + j) * K + k] += 1 / outcomes.length;
    return t;
  }

  /** Build a table from a rule (i, j, k) -> probability. */
  function fill(N, M, K, rule) {
    const t = table(N, M, K);
    for (let i = 0; i < N; i++)
      for (let j = 0; j < M; j++)
        for (let k = 0; k < K; k++) t.p[(i * M + j) * K + k] = rule(i, j, k);
    return t;
  }

  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const xlogx = (x) => (x > 0 ? x * Math.log(x) : 0);
  const entropy = (values) => -sum(Array.from(values, xlogx)) / LN2;
  const h = (rate) => entropy([rate, 1 - rate]);

  /** Why `t` is no probability table, in words; "" if it is one. */
  function problem(t) {
    const bad = t.p.findIndex((x) => !Number.isFinite(x));
    if (bad >= 0) return "a cell is empty or not a number";
    const negative = t.p.find((x) => x < 0);
    if (negative !== undefined) return `a cell is negative (${+negative.toPrecision(4)})`;
    const total = sum(t.p);
    if (total === 0) return "all cells are 0";
    if (Math.abs(total - 1) > SUM_TOLERANCE) return `the cells sum to ${+total.toPrecision(4)}, not to 1`;
    return "";
  }

  /** The same table divided by its sum; what cannot be a probability counts as 0. */
  function normalized(t) {
    const p = t.p.map((x) => (Number.isFinite(x) && x > 0 ? x : 0));
    const total = sum(p);
    return total > 0 ? table(t.N, t.M, t.K, p.map((x) => x / total)) : fill(t.N, t.M, t.K, () => 1 / t.p.length);
  }

  /** Marginals that matter: a = p(x1, y), b = p(x2, y), p(x1, x2), p1, p2, py. */
  function marginals({ N, M, K, p }) {
    const m = {
      a: new Float64Array(N * K), b: new Float64Array(M * K), pairs: new Float64Array(N * M),
      p1: new Float64Array(N), p2: new Float64Array(M), py: new Float64Array(K),
    };
    for (let i = 0, c = 0; i < N; i++)
      for (let j = 0; j < M; j++)
        for (let k = 0; k < K; k++, c++) {
          const x = p[c];
          m.a[i * K + k] += x; m.b[j * K + k] += x; m.pairs[i * M + j] += x;
          m.p1[i] += x; m.p2[j] += x; m.py[k] += x;
        }
    return m;
  }

  /** I(X1;Y), I(X2;Y), I(X1,X2;Y), H(Y) and I(X1;X2), in bits. */
  function informations(t) {
    const m = marginals(t);
    const [hy, h1, h2] = [m.py, m.p1, m.p2].map(entropy);
    const least0 = (x) => Math.max(0, x); // rounding leaves -1e-16 where the truth is 0
    return {
      source1: least0(h1 + hy - entropy(m.a)),
      source2: least0(h2 + hy - entropy(m.b)),
      joint: least0(entropy(m.pairs) + hy - entropy(t.p)),
      between: least0(h1 + h2 - entropy(m.pairs)),
      target: hy,
    };
  }

  /** Local informations of one outcome in bits: log2 p(y | x1) / p(y), the same of x2 and of both.
   *  Negative where a source makes the outcome less likely; null where it never occurs. */
  function local(t, i, j, k) {
    const m = marginals(t);
    const gain = (joint, given) => (joint > 0 ? Math.log2(joint / given / m.py[k]) : null);
    return {
      one: gain(m.a[i * t.K + k], m.p1[i]), two: gain(m.b[j * t.K + k], m.p2[j]),
      both: gain(t.p[(i * t.M + j) * t.K + k], m.pairs[i * t.M + j]),
    };
  }

  // ------------------------------------------------------------------ BROJA, certified

  /** Drop values of X1, X2 and Y that never occur; the larger source goes first. */
  function compact(t) {
    const m = marginals(t);
    const kept = (weights) => [...weights.keys()].filter((index) => weights[index] > 0);
    let [rows, columns] = [kept(m.p1), kept(m.p2)];
    const values = kept(m.py);
    const at = (i, j, k) => t.p[(i * t.M + j) * t.K + k];
    const swap = rows.length < columns.length; // the larger source is the one that is eliminated
    if (swap) [rows, columns] = [columns, rows];
    return fill(rows.length, columns.length, values.length, (i, j, k) =>
      swap ? at(columns[j], rows[i], values[k]) : at(rows[i], columns[j], values[k]));
  }

  /** In-place Cholesky factor of the n x n matrix `m`; unknowns outside `free` stay fixed at 0. */
  function cholesky(m, n, free) {
    for (let r = 0; r < n; r++) {
      if (!free[r]) {
        for (let c = 0; c < n; c++) { m[r * n + c] = 0; m[c * n + r] = 0; }
        m[r * n + r] = 1;
      } else m[r * n + r] *= 1 + 1e-14; // a ridge of the order of rounding
    }
    for (let c = 0; c < n; c++) {
      let pivot = m[c * n + c];
      for (let l = 0; l < c; l++) pivot -= m[c * n + l] ** 2;
      pivot = Math.sqrt(pivot);
      m[c * n + c] = pivot;
      for (let r = c + 1; r < n; r++) {
        let value = m[r * n + c];
        for (let l = 0; l < c; l++) value -= m[r * n + l] * m[c * n + l];
        m[r * n + c] = value / pivot;
      }
    }
    return m;
  }

  /** Solve L x = y (in place, column `col` of a matrix of `width` columns). */
  function forward(L, n, y, width, col) {
    for (let r = 0; r < n; r++) {
      let value = y[r * width + col];
      for (let l = 0; l < r; l++) value -= L[r * n + l] * y[l * width + col];
      y[r * width + col] = value / L[r * n + r];
    }
  }

  /** Solve L^T x = y in place. */
  function backward(L, n, y) {
    for (let r = n - 1; r >= 0; r--) {
      let value = y[r];
      for (let l = r + 1; l < n; l++) value -= L[l * n + r] * y[l];
      y[r] = value / L[r * n + r];
    }
  }

  /** w = exp(A + B) at every cell; 0 where either is minus infinity. */
  function products({ N, M, K }, A, B) {
    const w = new Float64Array(N * M * K);
    for (let i = 0, c = 0; i < N; i++)
      for (let j = 0; j < M; j++)
        for (let k = 0; k < K; k++, c++) w[c] = Math.exp(A[i * K + k] + B[j * K + k]);
    return w;
  }

  /** Sums over y of a table-shaped array, [N M]. */
  function overY(values, K) {
    const sums = new Float64Array(values.length / K);
    for (let c = 0; c < values.length; c++) sums[Math.floor(c / K)] += values[c];
    return sums;
  }

  /**
   * One damped Newton step of the package's primal-dual interior point
   * (trifeature/pid/interior.py): maximize <a, A> + <b, B> with s = 1 - sum_y w >= 0 for every
   * pair, multipliers z(x1, x2), complementarity z s = mu. The x1 blocks are eliminated.
   */
  function newtonStep(d, m, state) {
    const { N, M, K } = d;
    const { A, B, z } = state;
    const w = products(d, A, B);
    const s = overY(w, K).map((x) => 1 - x);
    let slack = 0;
    for (let c = 0; c < s.length; c++) slack += (z[c] * s[c]) / s.length;
    // After a short step the iterate is off the path: aim less far down it.
    const mu = Math.min(0.8, Math.max(0.05, (1 - state.step) ** 2)) * slack;
    const [d1, d2] = direction(d, m, w, z, s, mu);
    const dz = new Float64Array(N * M);
    for (let i = 0; i < N; i++)
      for (let j = 0; j < M; j++) {
        const pair = i * M + j;
        let wu = 0;
        for (let k = 0; k < K; k++) {
          const x = w[pair * K + k];
          if (x > 0) wu += x * (d1[i * K + k] + d2[j * K + k]);
        }
        dz[pair] = (mu - z[pair] * s[pair] + z[pair] * wu) / s[pair];
      }
    const step = dualStep(d, w, s, d1, d2);
    const room = Math.max(...dz.map((x, c) => -x / z[c]));
    const zStep = room > 0.99 ? 0.99 / room : 1;
    return {
      A: A.map((x, c) => x + step * d1[c]),
      B: B.map((x, c) => x + step * d2[c]),
      z: z.map((x, c) => x + zStep * dz[c]),
      step: Math.min(step, zStep),
    };
  }

  /** Newton direction dA, dB: Cholesky blocks of A, Schur complement of B. */
  function direction({ N, M, K }, m, w, z, s, mu) {
    const MK = M * K;
    const schur = new Float64Array(MK * MK);
    const rhs = Float64Array.from(m.b);
    const factors = [];
    for (let i = 0; i < N; i++) {
      const block = new Float64Array(K * K);
      const V = new Float64Array(K * MK);
      const y = Float64Array.from(m.a.subarray(i * K, (i + 1) * K));
      for (let j = 0; j < M; j++) {
        const pair = i * M + j;
        const ratio = z[pair] / s[pair];
        for (let k = 0; k < K; k++) {
          const wk = w[pair * K + k];
          const diagonal = z[pair] * wk;
          y[k] -= (mu / s[pair]) * wk;
          rhs[j * K + k] -= (mu / s[pair]) * wk;
          for (let l = 0; l < K; l++) {
            const value = ratio * wk * w[pair * K + l] + (k === l ? diagonal : 0);
            block[k * K + l] += value;
            V[k * MK + j * K + l] = value;
            schur[(j * K + k) * MK + j * K + l] += value;
          }
        }
      }
      cholesky(block, K, m.a.subarray(i * K, (i + 1) * K).map((x) => (x > 0 ? 1 : 0)));
      for (let c = 0; c < MK; c++) forward(block, K, V, MK, c);
      forward(block, K, y, 1, 0);
      for (let k = 0; k < K; k++)
        for (let r = 0; r < MK; r++) {
          const v = V[k * MK + r];
          if (v === 0) continue;
          rhs[r] -= v * y[k];
          for (let c = 0; c <= r; c++) schur[r * MK + c] -= v * V[k * MK + c];
        }
      factors.push([block, V, y]);
    }
    const free = withoutGauge(m.b, M, K);
    for (let r = 0; r < MK; r++) if (!free[r]) rhs[r] = 0;
    cholesky(schur, MK, free);
    forward(schur, MK, rhs, 1, 0);
    backward(schur, MK, rhs);
    const d1 = new Float64Array(N * K);
    factors.forEach(([block, V, y], i) => {
      for (let k = 0; k < K; k++) for (let c = 0; c < MK; c++) y[k] -= V[k * MK + c] * rhs[c];
      backward(block, K, y);
      d1.set(y, i * K);
    });
    return [d1, rhs];
  }

  /** Entries of B that are free: A + c(y), B - c(y) is the same point, so one entry a y is pinned. */
  function withoutGauge(b, M, K) {
    const free = Array.from(b, (x) => (x > 0 ? 1 : 0));
    for (let k = 0; k < K; k++) {
      let largest = 0;
      for (let j = 1; j < M; j++) if (b[j * K + k] > b[largest * K + k]) largest = j;
      free[largest * K + k] = 0;
    }
    return free;
  }

  /** The longest tried step that keeps every s above 1 % of what it was. */
  function dualStep({ N, M, K }, w, s, d1, d2) {
    let longest = 0;
    for (let i = 0; i < N; i++)
      for (let j = 0; j < M; j++)
        for (let k = 0; k < K; k++)
          if (w[(i * M + j) * K + k] > 0) longest = Math.max(longest, Math.abs(d1[i * K + k] + d2[j * K + k]));
    let step = Math.min(1, 5 / Math.max(longest, 5)); // Newton is trusted up to a change of 5
    const short = () => {
      for (let i = 0; i < N; i++)
        for (let j = 0; j < M; j++) {
          let left = 1;
          for (let k = 0; k < K; k++) {
            const x = w[(i * M + j) * K + k];
            if (x > 0) left -= x * Math.exp(step * (d1[i * K + k] + d2[j * K + k]));
          }
          if (!(left > 0.01 * s[i * M + j])) return true;
        }
      return false;
    };
    for (let tries = 0; tries < 60 && short(); tries++) step *= 0.7;
    return step;
  }

  /** Dual value of (A, B), nats: a lower bound whatever A and B are. */
  function lowerBound({ N, M, K }, m, A, B) {
    const L = new Float64Array(N * M);
    let value = 0;
    const inner = (weights, values) => {
      for (let c = 0; c < weights.length; c++) if (weights[c] > 0) value += weights[c] * values[c];
    };
    inner(m.a, A);
    inner(m.b, B);
    for (let i = 0; i < N; i++)
      for (let j = 0; j < M; j++) {
        let top = -Infinity;
        for (let k = 0; k < K; k++) top = Math.max(top, A[i * K + k] + B[j * K + k]);
        let total = 0;
        if (top > -Infinity) for (let k = 0; k < K; k++) total += Math.exp(A[i * K + k] + B[j * K + k] - top);
        L[i * M + j] = total > 0 ? top + Math.log(total) : -Infinity;
      }
    const alpha = Array.from({ length: N }, (_, i) => Math.max(...L.subarray(i * M, (i + 1) * M)));
    alpha.forEach((x, i) => (value -= m.p1[i] * x));
    for (let j = 0; j < M; j++) {
      let beta = -Infinity; // what the columns do not need is given back
      for (let i = 0; i < N; i++) beta = Math.max(beta, L[i * M + j] - alpha[i]);
      value -= m.p2[j] * beta;
    }
    return value;
  }

  /** Altschuler rounding: a table near q with exactly the right marginals; then f of it, nats. */
  function upperBound({ N, M, K }, m, q) {
    const rows = new Float64Array(N * K);
    const columns = new Float64Array(M * K);
    const each = (visit) => {
      for (let i = 0, c = 0; i < N; i++)
        for (let j = 0; j < M; j++) for (let k = 0; k < K; k++, c++) visit(c, i * K + k, j * K + k, k);
    };
    each((c, r) => (rows[r] += q[c]));
    each((c, r) => { if (rows[r] > m.a[r]) q[c] *= m.a[r] / rows[r]; });
    each((c, r, col) => (columns[col] += q[c]));
    each((c, r, col) => { if (columns[col] > m.b[col]) q[c] *= m.b[col] / columns[col]; });
    const missing1 = Float64Array.from(m.a);
    const missing2 = Float64Array.from(m.b);
    each((c, r, col) => { missing1[r] -= q[c]; missing2[col] -= q[c]; });
    const mass = new Float64Array(K);
    missing1.forEach((x, r) => (mass[r % K] += Math.max(x, 0)));
    each((c, r, col, k) => {
      if (mass[k] > 0) q[c] += (Math.max(missing1[r], 0) * Math.max(missing2[col], 0)) / mass[k];
    });
    return sum(Array.from(q, xlogx)) - sum(Array.from(overY(q, K), xlogx));
  }

  /** Multiplicative scaling (trifeature/pid/scaling.py), for what Newton's steps left open. */
  function* scaling(d, m) {
    const { N, M, K } = d;
    const r = new Float64Array(N * M);
    for (let i = 0; i < N; i++) for (let j = 0; j < M; j++) r[i * M + j] = m.p1[i] * m.p2[j];
    const u = new Float64Array(N * K);
    const v = new Float64Array(M * K).fill(1);
    const tiny = Number.MIN_VALUE;
    const scale = () => {
      for (let i = 0; i < N; i++)
        for (let k = 0; k < K; k++) {
          let total = 0;
          for (let j = 0; j < M; j++) total += r[i * M + j] * v[j * K + k];
          u[i * K + k] = m.a[i * K + k] / m.py[k] / Math.max(total, tiny);
        }
    };
    for (;;) {
      for (let sweep = 0; sweep < 50; sweep++) {
        scale();
        let total = 0;
        for (let j = 0; j < M; j++)
          for (let k = 0; k < K; k++) {
            let column = 0;
            for (let i = 0; i < N; i++) column += r[i * M + j] * u[i * K + k];
            v[j * K + k] = m.b[j * K + k] / m.py[k] / Math.max(column, tiny);
          }
        for (let i = 0; i < N; i++)
          for (let j = 0; j < M; j++) {
            let rho = 0;
            for (let k = 0; k < K; k++) rho += m.py[k] * u[i * K + k] * v[j * K + k];
            total += r[i * M + j] *= rho;
          }
        for (let c = 0; c < r.length; c++) r[c] /= total;
      }
      scale();
      const A = u.map((x, c) => Math.log(x * m.py[c % K]));
      const B = v.map((x) => Math.log(x));
      yield [A, B, products(d, A, B).map((x, c) => x * r[Math.floor(c / K)])];
    }
  }

  /** The package's Newton iteration as a sequence of experts and approximate solutions. */
  function* newton(d, m) {
    const { N, M, K } = d;
    let state = {
      A: m.a.map((x, c) => Math.log(x / m.p1[Math.floor(c / K)] / 2)),
      B: m.b.map((x) => (x > 0 ? 0 : -Infinity)),
      z: Float64Array.from({ length: N * M }, (_, c) => Math.max(m.p1[Math.floor(c / M)] * m.p2[c % M], 2.2e-16)),
      step: 1,
    };
    for (;;) {
      state = newtonStep(d, m, state);
      yield [state.A, state.B, products(d, state.A, state.B).map((x, c) => x * state.z[Math.floor(c / K)])];
    }
  }

  /** Certified [low, high] of I_union in bits. */
  function unionBounds(t, terms, tolerance) {
    let low = Math.max(terms.source1, terms.source2);
    let high = Math.min(terms.source1 + terms.source2, terms.joint);
    low = Math.min(low, high);
    if (high - low <= tolerance) return [low, high];
    const d = compact(t);
    const m = marginals(d);
    for (const [method, rounds] of [[newton, 200], [scaling, 60]]) {
      const iterates = method(d, m);
      for (let round = 0; round < rounds; round++) {
        const [A, B, q] = iterates.next().value;
        const found = [lowerBound(d, m, A, B), upperBound(d, m, q)].map((nats) => nats / LN2 + terms.target);
        if (!found.every(Number.isFinite)) break; // a factorization failed: keep the bounds we have
        low = Math.max(low, found[0]);
        high = Math.min(high, found[1]);
        if (high - low <= tolerance) return [low, high];
      }
    }
    return [low, high];
  }

  /** The four atoms from a redundancy and the informations. */
  function atomsFrom(R, { source1, source2, joint }, gap = 0) {
    return { R, U1: source1 - R, U2: source2 - R, S: joint - source1 - source2 + R, total: joint, gap };
  }

  /** BROJA's atoms of a table that sums to 1, with the width `gap` of their certified interval. */
  function broja(t, tolerance = TIGHTEST) {
    const terms = informations(normalized(t));
    const [low, high] = unionBounds(normalized(t), terms, tolerance);
    return atomsFrom(terms.source1 + terms.source2 - (low + high) / 2, terms, Math.max(high - low, 0));
  }

  // ------------------------------------------------------------------ other measures

  /** I(X; Y = y) for every y, from p(x, y) with K columns. */
  function specific(pxy, px, py) {
    const K = py.length;
    return Array.from(py, (y, k) => {
      if (!(y > 0)) return 0;
      let total = 0;
      for (let i = 0; i < px.length; i++) {
        const joint = pxy[i * K + k];
        if (joint > 0) total += (joint / y) * Math.log2(joint / (px[i] * y));
      }
      return total;
    });
  }

  /** I_min of Williams and Beer (2010): the expected least specific information. */
  function iMin(t) {
    const m = marginals(t);
    const [one, two] = [specific(m.a, m.p1, m.py), specific(m.b, m.p2, m.py)];
    return atomsFrom(sum(Array.from(m.py, (y, k) => y * Math.min(one[k], two[k]))), informations(t));
  }

  /** Minimum mutual information (Barrett 2015). */
  function mmi(t) {
    const terms = informations(t);
    return atomsFrom(Math.min(terms.source1, terms.source2), terms);
  }

  // ------------------------------------------------------------------ changing a table

  /** P(X1 = X2), values compared by their number. */
  function matchMass({ N, M, K, p }) {
    let mass = 0;
    for (let i = 0; i < Math.min(N, M); i++) for (let k = 0; k < K; k++) mass += p[(i * M + i) * K + k];
    return mass;
  }

  /** Reweigh the pairs so that P(X1 = X2) = rho; p(y | x1, x2) stays. Same table if it cannot. */
  function withMatch(t, rho) {
    const mass = matchMass(t);
    if (rho === null || !(mass > 0 && mass < 1)) return t;
    return fill(t.N, t.M, t.K, (i, j, k) =>
      t.p[(i * t.M + j) * t.K + k] * (i === j ? rho / mass : (1 - rho) / (1 - mass)));
  }

  /** Replace the label at rate e by one of the others. */
  function withNoise(t, e) {
    if (!e || t.K < 2) return t;
    const pairs = overY(t.p, t.K);
    return fill(t.N, t.M, t.K, (i, j, k) => {
      const x = t.p[(i * t.M + j) * t.K + k];
      return (1 - e) * x + (e * (pairs[i * t.M + j] - x)) / (t.K - 1);
    });
  }

  /** The same law with X1, or X2, asked about, and the two others as sources. */
  const otherTargets = (t) => [
    fill(t.M, t.K, t.N, (j, k, i) => t.p[(i * t.M + j) * t.K + k]),
    fill(t.N, t.K, t.M, (i, k, j) => t.p[(i * t.M + j) * t.K + k]),
  ];

  // ------------------------------------------------------------------ the image tasks

  const TASKS = ["shape", "texture1", "texture2", "match"];
  const GATES = ["match", "parity", "sum", "and"];
  const odd = (value) => value % 2;

  /** The label of each gate from the numbers of texture 1 and color 2, counted from 0; the number
   *  of its labels. For "match" color 2 is numbered in the order of the map. */
  const GATE_RULES = {
    match: { label: (i, j) => (i === j ? 1 : 0), labels: () => 2 },
    parity: { label: (i, j) => odd(i) ^ odd(j), labels: () => 2 },
    sum: { label: (i, j, K) => (i + j) % K, labels: (K) => K },
    and: { label: (i, j) => odd(i) & odd(j), labels: () => 2 },
  };

  /** Number of labels of a task for K values an attribute. */
  const taskLabels = (task, K, gate = "match") => (task === "match" ? GATE_RULES[gate].labels(K) : K);

  /** p(x1, x2, y) of a task for K values an attribute, match rate rho, label noise e.
   *  X1 and X2 are the attributes that matter: the two shapes, or texture 1 and color 2 in the
   *  order of the map, so that "match" is x1 = x2. Texture 2 is independent of everything in
   *  image 1. `share` is the rate at which both images show one shape; under a `gate` other than
   *  "match" texture 1 and color 2 are uniform and independent, and rho plays no part. */
  function taskTable(task, K, rho, e, { share = 1, gate = "match" } = {}) {
    const equal = (rate) => (i, j) => (i === j ? rate / K : (1 - rate) / (K * (K - 1)));
    const free = () => 1 / K ** 2;
    const shapes = equal(share);
    const pair = gate === "match" ? equal(rho) : free;
    const labelOf = GATE_RULES[gate].label;
    const rules = {
      shape: (i, j, k) => (i === k ? shapes(i, j) : 0),
      texture1: (i, j, k) => (i === k ? pair(i, j) : 0),
      texture2: (i, j, k) => (j === k ? free() : 0),
      match: (i, j, k) => (labelOf(i, j, K) === k ? pair(i, j) : 0),
    };
    return withNoise(fill(K, K, taskLabels(task, K, gate), rules[task]), e);
  }

  /** Information of a channel over K values that keeps the value at a rate. */
  const symmetric = (K, rate) => Math.max(0, Math.log2(K) - h(rate) - (1 - rate) * Math.log2(Math.max(K - 1, 1)));

  /** Atoms about a value of image 1 that image 2 repeats at a rate: image 2 is a noisy copy of
   *  image 1, so all that it tells is redundant. */
  function repeated(K, rate, e) {
    const keeps = rate * (1 - e) + ((1 - rate) * e) / (K - 1); // P(X2 = Y) after the label's noise
    const R = symmetric(K, keeps);
    return { R, U1: Math.max(0, symmetric(K, 1 - e) - R), U2: 0, S: 0 };
  }

  /** Atoms about a gate of two independent uniform values. A parity or a conjunction depends on
   *  one bit of each value; merging values that tell the same about Y changes no atom. */
  function gateAtoms(gate, K, e, tolerance) {
    if (gate === "sum") return { R: 0, U1: 0, U2: 0, S: symmetric(K, 1 - e) };
    if (gate === "parity" && K % 2 === 0) return { R: 0, U1: 0, U2: 0, S: symmetric(2, 1 - e) };
    const one = Math.floor(K / 2) / K; // P(a number is odd)
    const rate = (bit) => (bit ? one : 1 - one);
    const { label } = GATE_RULES[gate];
    return broja(withNoise(fill(2, 2, 2, (i, j, k) => (label(i, j, 2) === k ? rate(i) * rate(j) : 0)), e), tolerance);
  }

  /** The same task's atoms, in closed form but for two gates (docs/pid.md of the package tells why
   *  they are these). */
  function taskAtoms(task, K, rho, e, { share = 1, gate = "match", tolerance } = {}) {
    const zero = { R: 0, U1: 0, U2: 0, S: 0 };
    const rules = {
      shape: () => repeated(K, share, e),
      texture1: () => (gate === "match" ? repeated(K, rho, e) : { ...zero, U1: symmetric(K, 1 - e) }),
      texture2: () => ({ ...zero, U2: symmetric(K, 1 - e) }),
      match: () => (gate === "match"
        ? { ...zero, S: Math.max(0, h(rho * (1 - e) + (1 - rho) * e) - h(e)) }
        : gateAtoms(gate, K, e, tolerance)),
    };
    const atoms = { gap: 0, ...rules[task]() };
    atoms.total = atoms.R + atoms.U1 + atoms.U2 + atoms.S;
    return atoms;
  }

  // ------------------------------------------------------------------ samples

  /** A small seeded generator (mulberry32): the same seed draws the same pairs everywhere. */
  function generator(seed) {
    let a = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ 0x5bd1e995) >>> 0;
    return () => {
      a = (a + 0x6d2b79f5) >>> 0;
      let x = Math.imul(a ^ (a >>> 15), a | 1);
      x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
      return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
    };
  }

  /** The cell that a uniform number falls into. */
  function cellAt(cumulative, number) {
    const wanted = number * cumulative[cumulative.length - 1];
    let [low, high] = [0, cumulative.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle] > wanted) high = middle; else low = middle + 1;
    }
    return low;
  }

  function cumulated(p) {
    let total = 0;
    return Float64Array.from(p, (x) => (total += x));
  }

  /** The table of n samples. */
  function sampled(t, n, random) {
    const sums = cumulated(t.p);
    const counts = table(t.N, t.M, t.K);
    for (let draw = 0; draw < n; draw++) counts.p[cellAt(sums, random())] += 1 / n;
    return counts;
  }

  /** Share a random order of 0 .. count - 1; order 0 is the identity. */
  function permutation(count, seed) {
    const order = Array.from({ length: count }, (_, i) => i);
    if (!seed) return order;
    const random = generator(7919 * seed);
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /** Fano's inequality: bits that an accuracy over C equally frequent classes proves at least. */
  function fano(accuracy, C) {
    const a = Math.min(1, accuracy);
    return a <= 1 / C ? 0 : symmetric(C, a);
  }

  return {
    LN2, TASKS, GATES, GATE_RULES, table, uniform, fill, problem, normalized, marginals, informations,
    local, broja, iMin, mmi, matchMass, withMatch, withNoise, otherTargets, taskLabels, taskTable,
    taskAtoms, generator, sampled, cellAt, cumulated, permutation, fano, entropy, h,
  };
})();

if (typeof module !== "undefined") module.exports = Core;
