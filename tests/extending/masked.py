"""A plugin: CoMM with one more term, which aligns two views with random tokens left out."""

from dataclasses import dataclass

from trifeature.comm.encoders import token_count
from trifeature.comm.losses import info_nce
from trifeature.comm.methods import Loss, register_method
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.options import CoMMOptions


@dataclass(frozen=True)
class MaskedOptions(CoMMOptions):
    keep: float = 0.7  # share of the tokens that a view keeps


class Masked(CoMM):
    def __init__(self, settings, modalities):
        super().__init__(settings, modalities)
        self.tokens = [token_count(e, m) for e, m in zip(self.encoder, modalities, strict=True)]

    def views(self, batch, generator):
        random = self.uniform(len(batch[0]), (2, sum(self.tokens)), generator)
        return (*super().views(batch, generator), random)

    def codes_of(self, views):
        *items, random = views
        tokens = [self.encode(x, m) for m, x in enumerate(items[: len(self.all)])]
        present = (random.transpose(0, 1).flatten(0, 1) < self.options.keep).split(self.tokens, 1)
        fused = self.fusion(tokens, [self.all], present).unflatten(1, (2, -1))
        return (*super().codes_of(tuple(items)), fused.permute(2, 0, 1, 3))

    def loss_of(self, codes):
        comm, z = super().loss_of(codes[:-1]), self.project(codes[-1])[0]
        masked = info_nce(z[0], z[1], self.options.temperature)
        return Loss(comm.total + masked, {**comm.terms, "masked": masked})


register_method("masked", Masked, MaskedOptions)
