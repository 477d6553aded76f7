"""Pairs of one's own: image 2 is another render of what image 1 shows."""

import numpy as np

import trifeature as tf

data = tf.build(tf.preset("tiny", copies=2, test_copies=1))
images = np.arange(len(data.tables["train"].copies))
twins = np.stack([images, images ^ 1], axis=1)  # two renders of each, side by side
method = tf.train(tf.with_pairs(data, twins), tf.run_preset("tiny", epochs=1))
print(tf.probe(method, data).row())
