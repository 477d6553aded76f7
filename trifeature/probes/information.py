"""Information about a label that a probe shows features to hold, bits."""

from __future__ import annotations

from scipy.stats import entropy

from trifeature.pid import fano_information
from trifeature.probes.inputs import IntArray


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
