"""An encoder and a loss of one's own, registered beside the package's."""

import numpy as np
from torch import nn

import trifeature as tf
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.options import CoMMOptions


class Closer(CoMM):
    def loss_of(self, codes):  # the distance of the two fused views, beside CoMM's own terms
        comm, z = super().loss_of(codes), codes[0][:, 0]
        return type(comm)(comm.total + 0.1 * (z[:, 0] - z[:, 1]).square().mean(), comm.terms)


tf.register_method("closer", Closer, CoMMOptions)
tf.register_encoder("gelu", lambda shape: nn.Sequential(nn.Linear(*shape, 16), nn.GELU()), "vector")
x = np.random.default_rng(0).normal(size=(300, 8))
data = tf.Samples.from_arrays({"a": x, "b": x[:, :3]}, encoders={"a": "gelu", "b": "gelu"})
print(tf.train(data, tf.run_preset("quick", method="closer", epochs=1)).encoder)
