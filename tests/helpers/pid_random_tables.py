"""Random joint tables for the tests, dense and with zeros, and hypothesis strategies of them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

Array = NDArray[np.float64]


def dirichlet(*shape: int, seed: int = 0) -> Array:
    """A Dirichlet(1) table, or a stack of them for four axes."""
    weights = np.random.default_rng(seed).exponential(size=shape)
    return np.asarray(weights / weights.sum((-1, -2, -3), keepdims=True))


@st.composite
def joint_tables(draw: st.DrawFn, largest: int = 4) -> Array:
    """Tables up to largest^3 cells with zeros, constant sources and one-valued targets."""
    shape = tuple(draw(st.integers(1, largest)) for _ in range(3))
    # Small whole weights make zeros, ties and deterministic targets likely.
    weights = draw(arrays(np.int64, shape, elements=st.integers(0, 3)))
    weights.flat[draw(st.integers(0, weights.size - 1))] += 1
    return np.asarray(weights / weights.sum())
