"""Pairs of one's own: image 2 is another render of what image 1 shows."""

import numpy as np

import trifeature as tf

data = tf.build(tf.preset("quick", copies=4, test_copies=2))
images = np.arange(len(data.tables["train"].copies))
twins = np.stack([images, images // 4 * 4 + (images + 1) % 4], axis=1)  # four renders of each
method = tf.train(tf.with_pairs(data, twins), tf.run_preset("quick", epochs=2))
print(tf.probe(method, data).row())
