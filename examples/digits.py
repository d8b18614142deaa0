"""Your own network and your own error: two-layer perceptrons on handwritten digits.

A family says which networks there are; the error function says how good one is after a short training. Run from this
folder (the images come with scikit-learn, nothing is downloaded):

    subarch extract digits:Digits --start digits:error --epsilon 0.1
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional

from subarch.networks.mlp import MLPFamily
from subarch.networks.space import Value

WIDTHS = (8, 12, 16, 24, 32, 48)


def Digits() -> MLPFamily:  # noqa: N802 - it makes a family, and is named like one
    """64 pixels in, two hidden layers, 10 classes out: 36 architectures."""
    return MLPFamily.from_widths([WIDTHS, WIDTHS], inputs=64, outputs=10)


@cache
def _data() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    digits = load_digits()
    images = torch.tensor(digits.data, dtype=torch.float32) / 16
    labels = torch.tensor(digits.target)
    learn, held_out = train_test_split(range(len(labels)), test_size=0.4, random_state=0, stratify=digits.target)
    return images[learn], labels[learn], images[held_out], labels[held_out]


def error(architecture: Mapping[str, Value], seed: int, networks: int = 12, steps: int = 50) -> float:
    """Mean probability that a held-out digit is given the wrong class, over a few networks."""
    images, labels, unseen, classes = _data()
    wrong = []
    for number in range(networks):
        torch.manual_seed(1000 * seed + number)
        network = Digits().build(architecture)
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(steps):
            optimizer.zero_grad()
            functional.cross_entropy(network(images), labels).backward()
            optimizer.step()
        with torch.no_grad():
            right = network(unseen).softmax(-1)[torch.arange(len(classes)), classes]
        wrong.append(1 - float(right.mean()))
    return sum(wrong) / len(wrong)
