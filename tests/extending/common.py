"""A PID measure from outside: the information of the sources' common part (Griffith et al. 2014).

The common part of X1 and X2 (Gács and Körner 1973) is the largest variable that is a function of
each: the connected component of the graph that joins x1 and x2 wherever p(x1, x2) > 0.
"""

import numpy as np
from scipy.sparse.csgraph import connected_components

from trifeature.pid import register_measure


def common_part(p):
    """I(C; Y) in bits, C the common part of the sources."""
    N, M, K = p.shape
    graph = np.zeros((N + M, N + M))
    graph[:N, N:] = p.sum(2)
    _, component = connected_components(graph, directed=False)
    joint = np.zeros((N + M, K))
    np.add.at(joint, component[:N], p.sum(1))
    seen = joint > 0
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    return float((joint[seen] * np.log2(joint[seen] / independent[seen])).sum())


register_measure("common", common_part)
