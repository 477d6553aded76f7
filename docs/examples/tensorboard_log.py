"""Losses in TensorBoard: training reports through one callback."""

from torch.utils.tensorboard import SummaryWriter

import trifeature as tf


def report(progress):
    for name, value in progress.terms.items():
        writer.add_scalar(name, value, round(1000 * progress.epoch))  # thousandths of an epoch


data = tf.build(tf.preset("quick", copies=2, test_copies=1, train_pairs=400))
with SummaryWriter("runs/tensorboard") as writer:
    tf.train(data, tf.run_preset("quick", epochs=1), report=report)
