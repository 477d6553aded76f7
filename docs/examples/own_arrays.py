"""CoMM on two modalities of one's own: what does each tell about the digit, and what do both?"""

import numpy as np

import trifeature as tf

random = np.random.default_rng(0)
digit = random.integers(3, size=600)
audio, video = (random.normal(size=(600, 16)) + digit[:, None] for _ in range(2))
data = tf.Samples.from_arrays({"audio": audio, "video": video}, {"digit": digit})
method = tf.train(data, tf.run_preset("quick", epochs=2))
print(tf.probe(method, data, alone=True).row())
