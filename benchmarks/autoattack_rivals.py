"""AutoAttack as published, and as in ART, on a `.keras` file; in an environment with PyTorch, as a child process.

    python benchmarks/autoattack_rivals.py original TASK.npz MODEL.keras

TASK.npz holds images [N, H, W, C] in [0, 1], labels and eps. Prints one line of JSON: the seconds of the attack, and
the share of all images that stay right.
"""

import json
import os
import sys
import time
import warnings

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch

BATCH = 128
THREADS = 2


class ChannelsFirst(torch.nn.Module):
    """The network for images [N, C, H, W]."""

    def __init__(self, network: keras.Model):
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images.permute(0, 2, 3, 1), training=False)


def original(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, eps: float) -> torch.Tensor:
    from pyautoattack import AutoAttack

    attack = AutoAttack(model, norm="Linf", eps=eps, version="standard", seed=0, device="cpu")
    return attack.run_standard_evaluation(images, labels, batch_size=BATCH)[0]


def art(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, eps: float) -> torch.Tensor:
    from art.attacks.evasion import AutoAttack
    from art.estimators.classification import PyTorchClassifier

    wrapped = PyTorchClassifier(
        model, loss=torch.nn.CrossEntropyLoss(), input_shape=tuple(images.shape[1:]), nb_classes=10,
        clip_values=(0, 1), device_type="cpu",
    )  # fmt: skip
    attack = AutoAttack(wrapped, eps=eps, eps_step=2 * eps, batch_size=BATCH)
    return torch.tensor(attack.generate(images.numpy(), labels.numpy()))


def main(which: str, task: str, path: str) -> None:
    torch.set_num_threads(THREADS)
    with np.load(task) as given:
        images = torch.tensor(given["images"]).permute(0, 3, 1, 2).contiguous()
        labels, eps = torch.tensor(given["labels"]), float(given["eps"])
    model = ChannelsFirst(keras.saving.load_model(path)).eval()
    began = time.perf_counter()
    found = {"original": original, "art": art}[which](model, images, labels, eps)
    seconds = time.perf_counter() - began
    with torch.no_grad():
        robust = float((model(found).argmax(1) == labels).float().mean())
    print(json.dumps({"seconds": seconds, "robust": robust}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
