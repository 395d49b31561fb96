"""Looks of objects: an encoder whose features are averaged per object, and the mixture of looks of each class.

pix2pixHD (Wang et al. 2018), section 3.3; vid2vid, section 3.5.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from videosynth.nn.blocks import conv7, down, entry, normal_init, up

MOST = 10  # components of a class's mixture
FEWEST = 8  # looks of a class that a mixture can be fitted to


class StyleEncoder(nn.Sequential):
    """A picture ``(B, 3, H, W)`` to features ``(B, channels, H, W)`` in [-1, 1]; H and W multiples of 2^downsamples."""

    def __init__(self, channels: int, width: int = 16, downsamples: int = 4) -> None:
        layers = entry(3, width)
        for k in range(downsamples):
            layers += down(width * 2**k, width * 2 ** (k + 1))
        for k in reversed(range(downsamples)):
            layers += up(width * 2 ** (k + 1), width * 2**k)
        super().__init__(*layers, *conv7(width, channels), nn.Tanh())
        self.multiple = 2**downsamples
        normal_init(self)


class StyleMixtures(nn.Module):
    """A Gaussian mixture of looks per class, saved with the weights. Classes never seen have weight 0 throughout."""

    weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.zeros(classes, MOST))
        self.register_buffer("means", torch.zeros(classes, MOST, channels))
        self.register_buffer("factors", torch.zeros(classes, MOST, channels, channels))  # Cholesky, lower

    def fit(self, vectors: Tensor, classes: Tensor) -> None:
        """Mixtures of ``(N, channels)`` looks by class ``(N,)``; the number of components by the Bayesian information
        criterion. Classes with too few looks get one Gaussian, those with none keep what they have.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        for index in classes.unique().tolist():
            looks = vectors[classes == index].cpu().double().numpy()
            most = max(1, min(MOST, len(looks) // FEWEST))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                if len(looks) < 2:  # one look: a point
                    looks = looks.repeat(2, axis=0)
                fitted = [GaussianMixture(k, reg_covar=1e-4, random_state=0).fit(looks) for k in range(1, most + 1)]
            best = min(fitted, key=lambda mixture: mixture.bic(looks))
            count = best.n_components
            for part in (self.weights, self.means, self.factors):
                part[index] = 0
            self.weights[index, :count] = torch.from_numpy(best.weights_).float()
            self.means[index, :count] = torch.from_numpy(best.means_).float()
            self.factors[index, :count] = torch.linalg.cholesky(torch.from_numpy(best.covariances_)).float()

    def draw(self, index: int, generator: torch.Generator) -> Tensor:
        """A look ``(channels,)`` of a class; zeros where the class was never seen."""
        weights = self.weights[index].float().cpu()
        channels = self.means.shape[-1]
        noise = torch.randn(channels, generator=generator)
        if not weights.any():
            return torch.zeros(channels)
        component = int(torch.multinomial(weights, 1, generator=generator))
        return self.means[index, component].cpu() + self.factors[index, component].cpu() @ noise
