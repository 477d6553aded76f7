"""Information about a label that a probe shows features to hold, bits."""

from __future__ import annotations

import numpy as np
from scipy.stats import entropy

from trifeature.pid import fano_information
from trifeature.probes.inputs import FloatArray, IntArray


def learned_information(
    confusion: IntArray, cross_entropy: float, atom: float | None = None
) -> dict[str, float]:
    """Lower bounds of what features tell about a label, beside what there is to tell, in bits.

    All of them are about the scored samples with their labels as frequent as they are. The label of
    a match is not balanced, and an accuracy that pretends it is would bound another quantity.

    - `truth`: the atom that the task is there to measure; absent where `atom` is None. What the
      entropy holds beyond it comes from the finite sample.
    - `entropy`: H(label), the upper limit of both bounds. Of Trifeature's tasks it is also the sum
      of the atoms, because a task's attributes determine its label.
    - `fano`: lower bound by Fano's inequality from the fraction of samples classified rightly.
    - `cross_entropy`: H(label) less the probe's held-out cross-entropy, the lower bound of Barber
      & Agakov (2003). Negative where the probe is overconfident, as a cost chosen by macro accuracy
      may leave it; minus infinity where it rules out a label that occurs.

    Args:
        confusion: Counts on the scored samples by true (rows) and predicted class [C, C], of the
            probe that weights all samples equally.
        cross_entropy: Of the same probe, in bits.
        atom: The task's atom on the scored samples, if known.
    """
    count = confusion.sum()
    labels = confusion.sum(axis=1) / count
    bits = float(entropy(labels, base=2))
    return {
        **({} if atom is None else {"truth": atom}),
        "entropy": bits,
        "fano": fano_information(float(confusion.trace() / count), labels),
        "cross_entropy": bits - cross_entropy,
    }


def labels_information(shares: FloatArray, bits: float) -> dict[str, float]:
    """What features tell about many labels, each by itself, beside what there is to tell, in bits.

    - `entropy`: the sum of the labels' entropies; they may tell of one another, so that all of them
      together may have less.
    - `cross_entropy`: that sum less the probes' held-out cross-entropies, a lower bound of the sum
      of what is told about each. Negative where the probes are overconfident.

    Args:
        shares: Share of the scored samples with each label [C].
        bits: Cross-entropy, the sum over the labels, of probes that weight all samples equally.
    """
    total = float(np.sum(entropy(np.stack([shares, 1 - shares]), base=2, axis=0)))
    return {"entropy": total, "cross_entropy": total - bits}
