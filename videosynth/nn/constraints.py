"""What keeps a critic smooth: Singular Value Clipping (TGAN), weight clipping (WGAN), spectral norms."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import spectral_norm

TOLERANCE = 1e-6  # singular values up to 1 + this are left alone: what was clipped once stays bit for bit
LOWEST = 1e-2  # of the running deviation: the reference keeps the scale of a batch norm above this share


def _matrices(critic: nn.Module) -> list[nn.Module]:
    return [m for m in critic.modules() if isinstance(m, nn.modules.conv._ConvNd | nn.Linear)]


@torch.no_grad()
def clip_singular_values(critic: nn.Module) -> None:
    """Every convolution and linear layer as a matrix ``(outputs, inputs * kernel)`` gets singular values of at most 1, every
    batch norm a scale between ``LOWEST`` times its running deviation and that deviation (TGAN, table 2).

    Works on the fp32 master weights. Only the directions beyond 1 are changed, ``W - U (1 - 1 / S) U^T W`` over them, with U
    and S from the eigenvalues of ``W W^T`` in fp64: exact, and far cheaper than a full decomposition of wide matrices.
    """
    for layer in _matrices(critic):
        weight: Tensor = layer.weight  # pyright: ignore[reportAssignmentType]
        home = torch.device("cpu") if weight.device.type == "mps" else weight.device  # which knows no fp64
        clipped = _clipped(weight.flatten(1).to(home, torch.float64))
        if clipped is not None:
            weight.copy_(clipped.view_as(weight))
    for norm in critic.modules():
        if isinstance(norm, _BatchNorm) and norm.running_var is not None:
            deviation = norm.running_var.sqrt()
            norm.weight.copy_(torch.minimum(torch.maximum(norm.weight, LOWEST * deviation), deviation))


def _clipped(matrix: Tensor) -> Tensor | None:
    """``(M, N)`` fp64 with singular values of at most 1; None where they are already."""
    tall = matrix.shape[0] > matrix.shape[1]
    square = matrix.T @ matrix if tall else matrix @ matrix.T
    values, vectors = torch.linalg.eigh(square)
    sizes = values.clamp(min=0).sqrt()
    beyond = sizes > 1 + TOLERANCE
    if not beyond.any():
        return None
    along = vectors[:, beyond]
    taken = along * (1 - 1 / sizes[beyond])
    return matrix - (matrix @ taken) @ along.T if tall else matrix - taken @ (along.T @ matrix)


def largest_singular_value(critic: nn.Module) -> float:
    """Of all convolutions and linear layers as matrices."""
    return max(float(torch.linalg.matrix_norm(m.weight.detach().flatten(1).double(), 2)) for m in _matrices(critic))  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]


@torch.no_grad()
def clip_weights(critic: nn.Module, bound: float) -> None:
    """All parameters, those of batch norms too, into ``[-bound, bound]`` (WGAN; TGAN's reference)."""
    for parameter in critic.parameters():
        parameter.clamp_(-bound, bound)


def add_spectral_norms(critic: nn.Module) -> None:
    """Divide every convolution's and linear layer's weight by its largest singular value, tracked by power iteration."""
    for layer in _matrices(critic):
        spectral_norm(layer)


def orthogonal_init(critic: nn.Module) -> None:
    """Draw every convolution's and linear layer's matrix with all singular values 1."""
    for layer in _matrices(critic):
        nn.init.orthogonal_(layer.weight)  # pyright: ignore[reportArgumentType]
