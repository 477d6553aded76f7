"""A plugin: spectra as a kind of modality, with augmentations and an encoder of their own."""

from dataclasses import asdict, dataclass, replace

import torch
from torch import nn

from trifeature.comm.encoders import register_encoder
from trifeature.modality import Kind, register_kind
from trifeature.views import register_views


@dataclass(frozen=True, eq=False)
class Drawn:
    """What was drawn for N spectra: noise [N, C, B] and which bands are kept [N, 1, B]."""

    noise: torch.Tensor
    kept: torch.Tensor

    def __len__(self):
        return len(self.noise)

    def __getitem__(self, index):
        return Drawn(self.noise[index], self.kept[index])


@dataclass(frozen=True)
class SpectrumViews:
    """Noise of a deviation, and a share of the bands set to zero."""

    kind = "spectrum"
    noise: float = 0.1
    drop: float = 0.2

    def draw(self, count, shape, generator, device):  # noqa: ARG002
        noise = torch.randn(count, *shape, generator=generator, device=generator.device)
        kept = torch.rand(count, 1, shape[-1], generator=generator, device=generator.device)
        return Drawn(self.noise * noise, kept >= self.drop)

    def apply(self, items, parameters):
        return (items.float() + parameters.noise) * parameters.kept

    def unique(self):
        return replace(self, drop=0.0)

    def to_json(self):
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, content):
        return cls(**content)


class Bands(nn.Module):
    """A strided convolution: spectra [N, C, B] to tokens [N, B / 4, 16]."""

    def __init__(self, shape):
        super().__init__()
        self.convolution = nn.Conv1d(shape[0], 16, kernel_size=4, stride=4)

    def forward(self, x):
        return self.convolution(x).relu().transpose(1, 2)


register_views(SpectrumViews)
register_encoder("bands", Bands, "spectrum")
clean = SpectrumViews(noise=0.0, drop=0.0)
strong, light = SpectrumViews(), replace(clean, noise=0.1)
register_kind(Kind("spectrum", 2, strong, light, clean, encoder="bands"))
