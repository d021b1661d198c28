"""The probability that an item's click share is the highest of a pool, from their Beta posteriors."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from reelrank.ranking.items.popularity.posterior import Posterior

CELLS = 96
"""Most cells of the grid. Probabilities are within 0.002 of a million samples with 96, 128 and 256."""
DEVIATIONS = np.concatenate([np.arange(-4, 0, 0.75), np.arange(0, 6.1, 0.4)])
"""Where each posterior has edges of cells, in its standard deviations: closer where a maximum lies."""
NODES, NODE_WEIGHTS = (np.polynomial.legendre.leggauss(3) + np.array([[1], [0]])) / 2
"""Gauss-Legendre quadrature of three nodes on a cell, from 0 to 1."""
SMALLEST = 1e-300
Floats = NDArray[np.float64]


def compute_best_probabilities(posterior: Posterior) -> Floats:
    """Returns the probability [n] that an item's click share, Beta(alpha, beta), is the highest of all.

    It is the integral of the item's density times the distributions of all others, over cells that follow
    the posteriors. Within a cell all are taken as uniform, so items that differ by less than a cell share
    its probability; equal ones do so exactly, however narrow. Equal posteriors are computed once.
    """
    pairs = np.stack([posterior.alpha, posterior.beta])
    (alpha, beta), item, count = np.unique(pairs, axis=1, return_inverse=True, return_counts=True)
    edges = _choose_edges(alpha, beta)
    mass = _compute_mass(alpha, beta, edges)
    below = np.maximum(1 - np.cumsum(mass[:, ::-1], axis=1)[:, ::-1], 0)
    best = np.zeros(len(alpha))
    for node, weight in zip(NODES, NODE_WEIGHTS, strict=True):
        logs = np.log(np.maximum(below + mass * node, SMALLEST))
        best += weight * (mass * np.exp(count @ logs - logs)).sum(axis=1)
    probabilities = best[item.ravel()]
    return np.asarray(probabilities / probabilities.sum())


def _choose_edges(alpha: Floats, beta: Floats) -> Floats:
    """Returns ascending edges of cells, as angles: arcsin of the root of a share has the same deviation
    wherever the share lies.

    Cells begin five deviations below the best mean: the maximum is not lower.
    """
    center, deviation = np.arcsin(np.sqrt(alpha / (alpha + beta))), 0.5 / np.sqrt(alpha + beta)
    lowest = max(float((center - 5 * deviation).max()), 0.0)
    edges = np.unique((center[:, None] + deviation[:, None] * DEVIATIONS).clip(lowest, np.pi / 2))
    if len(edges) > CELLS + 1:
        edges = edges[np.linspace(0, len(edges) - 1, CELLS + 1).astype(np.intp)]
    return edges


def _compute_mass(alpha: Floats, beta: Floats, edges: Floats) -> Floats:
    """Returns each distribution's mass [k, cells]; what a coarse cell has too much is scaled away."""
    width = np.diff(edges)
    share = np.sin(edges[:-1, None] + width[:, None] * NODES).ravel() ** 2
    logs = np.outer(alpha - 0.5, np.log(share)) + np.outer(beta - 0.5, np.log1p(-share))
    density = 2 * np.exp(logs - betaln(alpha, beta)[:, None])  # of the angle
    mass = (density.reshape(len(alpha), len(width), len(NODES)) @ NODE_WEIGHTS) * width
    return np.asarray(mass / np.maximum(mass.sum(axis=1, keepdims=True), 1))
