"""R, U and S of features of one's own: here the mean colors of both images of a pair."""

import trifeature as tf

data = tf.build(tf.preset("quick", copies=4, test_copies=2))
probe, test = (data.pairs[name] for name in ("probe", "test"))
train_colors, test_colors = (data.images[name].float().mean((2, 3)) for name in ("train", "test"))
features = train_colors[probe.images].flatten(1)
others = test_colors[test.images].flatten(1)
groups = data.combinations_of("probe")  # a fold keeps out all renders of a combination
print(tf.probe_features(features, probe.labels, others, test.labels, groups=groups).row())
