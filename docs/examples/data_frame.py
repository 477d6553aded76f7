"""The partial information decomposition of a data frame: exact, and as an estimate."""

import pandas as pd

import trifeature as tf

rain, sprinkler = [0, 0, 1, 1] * 50, [0, 1, 0, 1] * 50
wet = [a | b for a, b in zip(rain, sprinkler, strict=True)]
frame = pd.DataFrame({"rain": rain, "sprinkler": sprinkler, "wet": wet})
print(tf.atoms_of_columns(frame, "rain", "sprinkler", "wet"))
print(tf.PID().fit(frame["rain"], frame["sprinkler"], frame["wet"]).report())
