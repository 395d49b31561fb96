"""Distances between two sets of feature vectors: Frechet (Heusel 2017) and polynomial kernel (Binkowski 2018)."""

from __future__ import annotations

import numpy as np


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Frechet distance of the Gaussians fitted to two sets of features, N F and M F (N, M at least 2); float64.

    ``|mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2))``. The trace of the root is taken from the symmetric matrix
    ``A^(1/2) B A^(1/2)``, which has the same eigenvalues and needs no general matrix square root.
    """
    _check(a, b)
    a, b = a.astype(np.float64), b.astype(np.float64)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    cov_a, cov_b = np.atleast_2d(cov_a), np.atleast_2d(cov_b)
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    cross = np.linalg.eigvalsh(root @ cov_b @ root)
    shift = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    return float(shift + np.trace(cov_a) + np.trace(cov_b) - 2 * np.sqrt(cross.clip(min=0)).sum())


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy under ``(x . y / F + 1)^3``; N F and M F, N and M at least 2.

    Unlike the Frechet distance its expectation does not depend on N, so small sets can be compared; it may come out
    slightly negative for sets of one distribution.
    """
    _check(a, b)
    a, b = a.astype(np.float64), b.astype(np.float64)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x: np.ndarray) -> float:
        k = kernel(x, x)
        return float((k.sum() - np.trace(k)) / (len(x) * (len(x) - 1)))

    return within(a) + within(b) - 2 * float(kernel(a, b).mean())


def distribution_distance(real: np.ndarray, fake: np.ndarray, extractor: str, dims: int) -> dict[str, float]:
    """The distance that the number of samples allows, under a name that tells all: ``fid[squeezenet,N=2048]``.

    ``dims`` is 2 for features of frames (fid, kid) and 3 for features of clips (fvd, kvd). With fewer samples on either
    side than twice the feature size a covariance means nothing, and the kernel distance is given instead; with fewer
    than two samples there is no distance, and the result is empty.
    """
    count = min(len(real), len(fake))
    if count < 2:
        return {}
    letter = "i" if dims == 2 else "v"
    if count >= 2 * real.shape[1]:
        return {f"f{letter}d[{extractor},N={count}]": frechet_distance(real, fake)}
    return {f"k{letter}d[{extractor},N={count}]": kernel_distance(real, fake)}


def _check(a: np.ndarray, b: np.ndarray) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"two sets N F of at least two feature vectors of one size; got {a.shape} and {b.shape}")
