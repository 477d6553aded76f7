"""The joint table of maximum entropy with three given pairwise marginals.

It has no third-order interaction. I_ccs and I_dep are defined with it, and its information about
Y is the least of any table with these marginals (the lower bound on synergy without joint
labels).

The table of maximum entropy is log-linear: q(i, j, k) = p(i, j) exp(f(i, k) + g(j, k)) / Z(i, j).
So f and g are those of a multinomial logistic regression of the third variable on the two others,
and the fit maximizes the concave mean log likelihood. It alternates sweeps of iterative
proportional fitting (each matches two of the marginals in turn) with damped Newton steps; the
third marginal p(i, j) always holds. Where the marginals exclude a cell only jointly, its
probability falls by a constant factor in each step, and no linear program is needed to find it.

Shape legend: N values of X1, M values of X2, K values of Y; inside the fit A, B and C values of
the three variables in the order that makes (A + B) C, the number of unknowns, the smallest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trifeature.errors import InputError
from trifeature.pid.tables import LN2, TINY, Array, entropy
from trifeature.threads import one_thread

# Most Newton steps; random tables with masses down to 1e-12 take 4 to 31, textbook gates with
# excluded cells about 45.
STEPS = 200
# The fit stops when a Newton step would move no more than this share of the probability.
SETTLED = 1e-14
# Eigenvalues of the scaled Hessian below this are directions that change no table.
FLAT = 1e-15
# Most unknowns for Newton steps, each of which takes seconds there; beyond, sweeps alone.
MOST_UNKNOWNS = 1500
# Unknowns for each sweep between two Newton steps: a sweep costs far less than a step.
UNKNOWNS_PER_SWEEP = 20
# Probabilities below this count as zero in the fit: they change no atom by more than 1e-17 bits.
NOTHING = 1e-20
# Largest accepted difference between two marginals of the same variable.
CONSISTENT = 1e-9
# Rounding error of a function of the table, in bits.
ROUNDING = 1e-14


@dataclass(frozen=True)
class PairwiseMarginals:
    """Three pairwise marginals of one joint table.

    Attributes:
        x1x2: p(x1, x2), [N, M].
        x1y: p(x1, y), [N, K].
        x2y: p(x2, y), [M, K].
    """

    x1x2: Array
    x1y: Array
    x2y: Array

    @classmethod
    def of(cls, table: Array) -> PairwiseMarginals:
        """Return the pairwise marginals of a joint table [N, M, K]."""
        return cls(table.sum(2), table.sum(1), table.sum(0))


@dataclass(frozen=True)
class MaximumEntropy:
    """The fitted table and how accurate it is.

    Attributes:
        table: q[x1, x2, y]; its pairwise marginals are those given, up to `error`.
        entropy_bound: Upper bound of the maximum entropy in bits, valid for any iterate.
        error: Largest absolute error of an entry of the pairwise marginals.
        earlier: An earlier iterate, with an error at least ten times larger (the first iterate
            if there is none).
        earlier_error: Its error.
    """

    table: Array
    entropy_bound: float
    error: float
    earlier: Array
    earlier_error: float

    def error_of(self, function: Callable[[Array], float | Array]) -> Array:
        """Estimate the error that the fit leaves in a function of the table, or in each entry.

        The change of the function since `earlier` is about its error there. It is reduced in
        proportion to the error of the marginals, with a safety factor of ten.
        """
        change = np.abs(np.asarray(function(self.table)) - function(self.earlier))
        reduction = 10 * self.error / max(self.earlier_error, TINY)
        return np.asarray(change * min(1.0, reduction) + self.error + ROUNDING)


def maximum_entropy_of(table: Array) -> MaximumEntropy:
    """Fit the pairwise marginals of a joint table [N, M, K]; such marginals are never refused."""
    return _fit(PairwiseMarginals.of(table), None)


def maximum_entropy(
    marginals: PairwiseMarginals, support: NDArray[np.bool_] | None = None
) -> MaximumEntropy:
    """Fit three pairwise marginals, of which it is not known that one table has them.

    Args:
        marginals: The three pairwise marginals, of one common table.
        support: Where the table may be positive, [N, M, K], if more is known than the marginals
            show.

    Raises:
        InputError: No table has these three marginals.
    """
    _require_consistent(marginals)
    fit = _fit(marginals, support)
    parts = (marginals.x1x2, marginals.x1y, marginals.x2y)
    # A joint table has at least the entropy of each of its pairs.
    least = max(float(entropy(part, 2)) for part in parts)
    tried = _Problem.of(marginals, support).unknowns <= MOST_UNKNOWNS
    if fit.entropy_bound < least - CONSISTENT or (tried and fit.error > CONSISTENT):
        raise InputError("no joint table has these three pairwise marginals")
    return fit


def _fit(marginals: PairwiseMarginals, support: NDArray[np.bool_] | None) -> MaximumEntropy:
    problem = _Problem.of(marginals, support)
    scores = problem.start()
    kept: list[tuple[float, Array]] = []  # an iterate for each tenfold reduction of the error
    with one_thread():
        for _ in range(STEPS):
            scores, q = problem.swept(scores)
            error = problem.error(q)
            if not kept or error <= kept[-1][0] / 10:
                kept.append((error, q))
            if problem.unknowns > MOST_UNKNOWNS:
                moved = error
            else:
                scores, moved = problem.newton(scores, q)
            if moved <= SETTLED:
                break
        q = problem.table(scores)
    error = problem.error(q)
    earlier_error, earlier = ([one for one in kept if one[0] >= 10 * error] or kept[:1])[-1]
    order = problem.order
    return MaximumEntropy(
        q.transpose(order), problem.bound(scores), error, earlier.transpose(order), earlier_error
    )


Scores = tuple[Array, Array]
"""f [A, C] and g [B, C]."""


@dataclass(frozen=True)
class _Problem:
    """The marginals in the order of the fit.

    Attributes:
        pair: p(i, j), [A, B].
        one: p(i, k), [A, C].
        other: p(j, k), [B, C].
        allowed: Where the table may be positive, [A, B, C].
        order: The axes of the fit, as axes of X1, X2, Y.
    """

    pair: Array
    one: Array
    other: Array
    allowed: NDArray[np.bool_]
    order: tuple[int, int, int]

    @classmethod
    def of(cls, m: PairwiseMarginals, support: NDArray[np.bool_] | None) -> _Problem:
        """Choose the third variable, so that there are as few unknowns as possible."""
        m = PairwiseMarginals(*(np.where(p < NOTHING, 0.0, p) for p in (m.x1x2, m.x1y, m.x2y)))
        choices = (
            (m.x1x2, m.x1y, m.x2y, (0, 1, 2)),
            (m.x1y, m.x1x2, m.x2y.T, (0, 2, 1)),
            (m.x2y, m.x1x2.T, m.x1y.T, (2, 0, 1)),
        )
        pair, one, other, order = min(choices, key=lambda part: part[1].size + part[2].size)
        allowed = (pair[:, :, None] > 0) & (one[:, None] > 0) & (other[None] > 0)
        if support is not None:
            allowed &= support.transpose(np.argsort(order))
        return cls(pair, one, other, allowed, order)

    @property
    def unknowns(self) -> int:
        """Number of entries of f and g."""
        return self.one.size + self.other.size

    def start(self) -> Scores:
        """The scores of k independent of j given i."""
        with np.errstate(divide="ignore"):
            return np.log(self.one), np.where(self.other > 0, 0.0, -np.inf)

    def _log_weights(self, scores: Scores) -> tuple[Array, Array]:
        """Return f + g where allowed [A, B, C], and log Z [A, B]; 0 where nothing is allowed."""
        with np.errstate(invalid="ignore"):
            logs = np.where(self.allowed, scores[0][:, None] + scores[1][None], -np.inf)
        top = logs.max(2)
        top = np.where(np.isfinite(top), top, 0.0)
        sums = np.exp(logs - top[:, :, None]).sum(2)
        return logs, top + np.log(np.where(sums > 0, sums, 1.0))

    def table(self, scores: Scores) -> Array:
        """q(i, j, k) = p(i, j) exp(f + g) / Z, [A, B, C]."""
        logs, logZ = self._log_weights(scores)
        return np.asarray(self.pair[:, :, None] * np.exp(logs - logZ[:, :, None]))

    def swept(self, scores: Scores) -> tuple[Scores, Array]:
        """Sweeps of iterative proportional fitting, and the table after them."""
        f, g = scores
        q = self.table(scores)
        for _ in range(1 + self.unknowns // UNKNOWNS_PER_SWEEP):
            f = f + _log_ratio(self.one, q.sum(1))
            q = self.table((f, g))
            g = g + _log_ratio(self.other, q.sum(0))
            q = self.table((f, g))
        return (f, g), q

    def error(self, q: Array) -> float:
        """Largest absolute error of an entry of the marginals."""
        parts = ((self.pair, 2), (self.one, 1), (self.other, 0))
        return max(float(np.abs(q.sum(axis) - part).max()) for part, axis in parts)

    def newton(self, scores: Scores, q: Array) -> tuple[Scores, float]:
        """One damped Newton step, and the share of the probability that the full step would move.

        With u = df + dg and its largest range r = max_ij (max_k u - min_k u), the third derivative
        of log Z along u is at most r times the second. So a step of length log(1 + r) / r
        maximizes a lower bound of the likelihood; it tends to 1 as r tends to 0.
        """
        df, dg = _direction(q, self.one - q.sum(1), self.other - q.sum(0))
        u = df[:, None] + dg[None]
        live = q > 0
        highest = np.where(live, u, -np.inf).max(2, initial=-np.inf)
        lowest = np.where(live, u, np.inf).min(2, initial=np.inf)
        reach = float((highest - lowest).max(initial=0.0, where=highest > -np.inf))
        length = np.log1p(reach) / reach if reach > 0 else 1.0
        centered = u - (q * u).sum(2, keepdims=True) / np.maximum(self.pair, TINY)[:, :, None]
        moved = float((q * np.abs(centered)).sum())
        return (scores[0] + length * df, scores[1] + length * dg), moved

    def bound(self, scores: Scores) -> float:
        """-sum p log q, bits: at least the entropy of every table p with these marginals.

        log q is a sum of three pairwise terms, so its mean is the same under every such table;
        Gibbs' inequality makes minus this mean an upper bound of the entropy.
        """
        _, logZ = self._log_weights(scores)
        terms = (
            (self.pair, _log(self.pair) - logZ),
            (self.one, scores[0]),
            (self.other, scores[1]),
        )
        mean = sum(float((p * np.where(p > 0, logs, 0.0)).sum()) for p, logs in terms)
        return -mean / LN2


def _log(p: Array) -> Array:
    return np.log(np.where(p > 0, p, 1.0))


def _log_ratio(wanted: Array, present: Array) -> Array:
    """log(wanted / present), zero where one of them is zero."""
    both = (wanted > 0) & (present > 0)
    return np.asarray(_log(np.where(both, wanted, 1.0)) - _log(np.where(both, present, 1.0)))


def _direction(q: Array, missing1: Array, missing2: Array) -> Scores:
    """Solve the Newton equations H (df, dg) = (missing1, missing2), as short as possible.

    H is scaled to a unit diagonal, so that small probabilities are solved for as accurately as
    large ones; f and g are determined up to terms that cancel, which are flat directions of H.
    """
    A, B, C = q.shape
    H = _hessian(q)
    root = np.sqrt(np.diag(H))
    scale = np.divide(1.0, root, where=root > 0, out=np.zeros_like(root))
    values, vectors = np.linalg.eigh(scale[:, None] * H * scale)
    missing = scale * np.concatenate([missing1.ravel(), missing2.ravel()])
    steep = values > FLAT * max(float(values[-1]), TINY)
    along = (vectors.T @ missing)[steep] / values[steep]
    step = (scale * (vectors[:, steep] @ along)).reshape(A + B, C)
    return step[:A], step[A:]


def _hessian(q: Array) -> Array:
    """sum_ij of p(i, j) (diag(c) - c c^T), c = q(. | i, j), on the entries of f and g.

    1 - c(k) is added up from the other entries: the difference would lose small probabilities.
    """
    A, B, C = q.shape
    p = q.sum(2, keepdims=True)
    c = np.divide(q, p, where=p > 0, out=np.zeros_like(q))
    nothing = np.zeros_like(c[:, :, :1])
    below = np.concatenate([nothing, np.cumsum(c, 2)[:, :, :-1]], 2)
    above = np.concatenate([nothing, np.cumsum(c[:, :, ::-1], 2)[:, :, :-1]], 2)[:, :, ::-1]
    each = -q[:, :, :, None] * c[:, :, None]  # [A, B, C, C]
    np.einsum("ijkk->ijk", each)[...] = q * (below + above)
    H = np.zeros((A + B, C, A + B, C))
    H[np.arange(A), :, np.arange(A)] = each.sum(1)
    H[A + np.arange(B), :, A + np.arange(B)] = each.sum(0)
    H[:A, :, A:] = each.transpose(0, 2, 1, 3)
    H[A:, :, :A] = each.transpose(1, 2, 0, 3)
    return H.reshape((A + B) * C, (A + B) * C)


def _require_consistent(marginals: PairwiseMarginals) -> None:
    """Require that the three marginals agree on p(x1), p(x2) and p(y)."""
    shared = {
        "x1": (marginals.x1x2.sum(1), marginals.x1y.sum(1)),
        "x2": (marginals.x1x2.sum(0), marginals.x2y.sum(1)),
        "y": (marginals.x1y.sum(0), marginals.x2y.sum(0)),
    }
    for name, (one, other) in shared.items():
        if one.shape != other.shape or not np.allclose(one, other, rtol=0, atol=CONSISTENT):
            raise InputError(f"the pairwise marginals disagree on p({name})")
