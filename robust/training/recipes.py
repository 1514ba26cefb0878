"""Recipes: how a network is trained, as plain values with their source. A suite may override any field.

`train = { recipe = "resnet_cifar", epochs = 3 }`

Where a paper divides the rate "when the validation error stalls", the recipe does so at equal shares of
the training. What a paper leaves open is taken from the release of its authors, and the recipe notes that.
"""

from dataclasses import dataclass
from typing import Literal

from robust.core.types import Count, NonNegative, Positive, Proportion

__all__ = [
    "alexnet2012",
    "densenet2016",
    "efficientnet2019",
    "googlenet2014",
    "lenet1998",
    "mobilenet2017",
    "modern",
    "resnet2015",
    "resnet_cifar",
    "short",
    "vgg2014",
]


@dataclass(frozen=True)
class Recipe:
    """What `fit` needs to know.

    epochs, batch_size: passes over the training split; images an update, on all devices together.
    learning_rate: the highest.
    optimizer: "sgd" with plain momentum, v := momentum v + rate g, w := w - v; "nesterov", the same looking
        ahead; "rmsprop" (Tieleman & Hinton 2012; average over .9, which begins at one as in TensorFlow's
        releases, epsilon .001); "adamw" (Loshchilov & Hutter, ICLR 2019).
    momentum: of the first three.
    schedule: "constant"; "cosine", half a wave to 0 (Loshchilov & Hutter, ICLR 2017), which with a warm-up is
        one cycle (Smith & Topin 2017, arXiv:1708.07120); "steps", times `factor` at each of `milestones`;
        "exponential", times `factor` after each `every` epochs; "polynomial", (1 - share done) ** `power`.
    warmup: share of all steps in which the rate rises linearly from its share warmup_start, or with
        warmup_shape = "flat" stays there.
    milestones: shares of all steps; factor: one for all of them, or one for each.
    weight_decay, decay: "l2" adds weight_decay * w to the gradient, so that it goes through the momentum, as
        in papers before 2017; "decoupled" takes rate * weight_decay * w from w.
        Where it is not given, that of "adamw" is decoupled and that of the others l2.
    decayed: which weights; kernels are those that are neither biases nor of a normalisation.
    label_smoothing: share of the target that is spread over all classes (Szegedy et al., CVPR 2016).
    class_weights: the weight of the loss of an image: "balanced", n / (C n_c) for the n_c of n images in C classes; or
        weights by the names of classes, 1 for the others. As in Keras, the loss of a batch is the sum over its size.
    sampling: "balanced" sees the same number of images of each class in an epoch, those of small classes several
        times with other augmentations, and not all of large ones; at most one of it and class_weights.
    patience: epochs without a better accuracy on the validation split (robust accuracy, against an adversary), after
        which training stops; the schedule does not hurry for it.
    keep: "best" keeps the weights of the epoch that was best in it, of equally good ones the latest; "last" those of
        the last one. Where it is not given, the best are kept against an adversary and under patience, and else the
        last.
    augment: what is done to training images, by name or as tables with a name; none if not given.
    auxiliary_weight: of the loss of each auxiliary head, .3 where it is not given; refused where the network has none.
    ema: of the weights and statistics, w' := d w' + (1 - d) w with d = min(ema, (1 + step) / (10 + step));
        they are what is validated and kept. 0 keeps the last weights themselves.
    clip_norm: bound of the norm of all gradients together (Pascanu, Mikolov & Bengio, ICML 2013);
        clip_value: of each of their entries; at most one of the two.
    accumulation: the number of parts, one after the other, in which a batch's gradient is computed, to save memory.
    precision: of the layers; weights are always float32, and so is what is computed up to the first of them and with
        them, as that sees pixels: bfloat16 would lose 7 % of changes of .4/255 of normalised photographs and distort
        the others by a third. That is 1 to 15 % of the multiplications of a convolutional network, and more of a
        perceptron. The loss is scaled under "mixed_float16".
    remat: "blocks" computes activations again when the gradient needs them, rather than to store them
        (Chen et al. 2016, arXiv:1604.06174).
    strategy: "mirrored" on all devices of this machine; "multi_worker" on the machines that TF_CONFIG names.

    For a network that has weights already:

    head: "new", for the classes of the data, or "kept".
    freeze: the name of a layer, of a nested model (all of it), or of a layer in one ("backbone/conv1" where several
        have that name); the weights and statistics of it and of all that lead to it stay as they are.
        Batch normalisation is as in inference there, also after it is unfrozen, as in Keras' guide to transfer
        learning; dropout still drops.
    unfreeze_after: epochs after which weights there learn, too, but no statistics; never if not given.
    rate_below: their share of the learning rate from then on.
    tune: "batch_norm_and_head" freezes all else, for a network that has learned and is to see images of
        another size (Touvron et al., Fixing the train-test resolution discrepancy: FixEfficientNet, 2020,
        arXiv:2003.08237).
    """

    epochs: Count
    batch_size: Count
    learning_rate: Positive
    optimizer: Literal["sgd", "nesterov", "rmsprop", "adamw"] = "sgd"
    momentum: Proportion = 0.9
    schedule: Literal["constant", "cosine", "steps", "exponential", "polynomial"] = "cosine"
    warmup: Proportion = 0.0
    warmup_start: Proportion = 0.01
    warmup_shape: Literal["linear", "flat"] = "linear"
    milestones: list[Proportion] | None = None
    factor: Positive | list[Positive] = 0.1
    every: Positive = 1.0
    power: Positive = 1.0
    weight_decay: NonNegative = 0.0
    decay: Literal["l2", "decoupled"] | None = None
    decayed: Literal["kernels", "all", "all_but_batch_norm", "kernels_but_depthwise"] = "kernels"
    label_smoothing: Proportion = 0.0
    class_weights: Literal["balanced"] | dict[str, NonNegative] | None = None
    sampling: Literal["all", "balanced"] = "all"
    patience: Count | None = None
    keep: Literal["best", "last"] | None = None
    augment: list | None = None
    auxiliary_weight: NonNegative | None = None
    ema: Proportion = 0.0
    clip_norm: Positive | None = None
    clip_value: Positive | None = None
    accumulation: Count = 1
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    remat: Literal["none", "blocks"] = "none"
    strategy: Literal["one_device", "mirrored", "multi_worker"] = "one_device"
    head: Literal["new", "kept"] = "new"
    freeze: str | None = None
    unfreeze_after: NonNegative | None = None
    rate_below: Proportion = 1.0
    tune: Literal["all", "batch_norm_and_head"] = "all"

    @property
    def decays(self) -> str:
        """How weights decay: by default as the optimiser's name implies."""
        return self.decay or ("decoupled" if self.optimizer == "adamw" else "l2")

    def keeps_best(self, hardened: bool) -> bool:
        """Are the weights of the best epoch kept? hardened: is robust accuracy watched?"""
        return self.keep == "best" or (self.keep is None and (hardened or self.patience is not None))

    @property
    def auxiliary(self) -> float:
        """The weight of the loss of each auxiliary head."""
        return 0.3 if self.auxiliary_weight is None else self.auxiliary_weight


short = Recipe(
    epochs=10, batch_size=64, learning_rate=0.1, optimizer="nesterov", warmup=0.25, weight_decay=0.005,
    decay="decoupled",
)  # fmt: skip
"""Ten epochs of momentum SGD under one cycle: for small images and demos, seconds to minutes on two CPU cores.

Chosen on the validation split of fashion_mini. One cycle: Smith & Topin, 2017, arXiv:1708.07120.
"""

modern = Recipe(
    epochs=30, batch_size=64, learning_rate=0.1, optimizer="nesterov", warmup=0.1, weight_decay=0.005,
    decay="decoupled", label_smoothing=0.1, ema=0.999,
    augment=["pad_and_crop", "flip", "mixup"],
)  # fmt: skip
"""Common today: cosine after a warm-up, label smoothing, MixUp, crops and flips, and averaged weights.

Rate and decay are those of `short`. He et al., Bag of tricks, CVPR 2019; MixUp: Zhang et al., ICLR 2018.
"""

lenet1998 = Recipe(
    epochs=20, batch_size=1, learning_rate=0.0005, momentum=0.0, schedule="steps", milestones=[0.1, 0.25, 0.4, 0.6],
    factor=[0.4, 0.5, 0.5, 0.2],
)  # fmt: skip
"""Twenty passes image by image, the global rates 5e-4, 2e-4, 1e-4, 5e-5, 1e-5 for 2, 3, 3, 4 and 8 of them.

The paper divides them by .02 + the curvature of each weight (stochastic diagonal Levenberg-Marquardt); here
they are taken as they are, with the cross-entropy that its MAP criterion (eq. 9) is without the class of rubbish.
LeCun, Bottou, Bengio & Haffner, Proc. IEEE 86(11), 1998, section III-B.
"""

alexnet2012 = Recipe(
    epochs=90, batch_size=128, learning_rate=0.01, schedule="steps", milestones=[0.25, 0.5, 0.75], weight_decay=0.0005,
    augment=[{"name": "scale_jitter", "smallest": 256, "largest": 256}, "flip", "pca_colour"],
)  # fmt: skip
"""90 epochs of momentum SGD, the rate divided by ten three times, decay 5e-4; crops, flips, PCA colour.

Krizhevsky, Sutskever & Hinton, NIPS 2012, section 5.
"""

vgg2014 = Recipe(
    epochs=74, batch_size=256, learning_rate=0.01, schedule="steps", milestones=[0.25, 0.5, 0.75], weight_decay=0.0005,
    augment=["scale_jitter", "flip", "pca_colour"],
)  # fmt: skip
"""74 epochs of momentum SGD, the rate divided by ten three times, decay 5e-4; scale jitter, flips, colour.

Simonyan & Zisserman, ICLR 2015, section 3.1.
"""

googlenet2014 = Recipe(
    epochs=60, batch_size=32, learning_rate=0.01, schedule="exponential", factor=0.96, every=8.0, weight_decay=0.0002,
    ema=0.9999,
    augment=["area_and_aspect_crop", "flip", "photometric_distortion"],
)  # fmt: skip
"""Momentum SGD, the rate 4 % less every 8 epochs, averaged weights; crops of 8 to 100 %.

The paper's auxiliary losses, at .3, are those of heads = "all" of the architecture; its main head has none.

Szegedy et al., CVPR 2015, section 6; epochs, batch, rate and decay are those of BVLC's release for Caffe, the
decay of the average that of its successors.
"""

resnet2015 = Recipe(
    epochs=120, batch_size=256, learning_rate=0.1, schedule="steps", milestones=[0.25, 0.5, 0.75], weight_decay=0.0001,
    decayed="all",
    augment=[{"name": "scale_jitter", "smallest": 256, "largest": 480}, "flip", "pca_colour"],
)  # fmt: skip
"""600,000 steps of 256 images of ImageNet, which are 120 epochs; momentum SGD from .1, divided by ten at plateaus.

He, Zhang, Ren & Sun, CVPR 2016, section 3.4.
"""

resnet_cifar = Recipe(
    epochs=182, batch_size=128, learning_rate=0.1, schedule="steps", milestones=[0.5, 0.75], weight_decay=0.0001,
    decayed="all",
    augment=["pad_and_crop", "flip"],
)  # fmt: skip
"""64,000 steps of 128 of 45,000 images, which are 182 epochs; momentum SGD from .1, a tenth after 32,000 and 48,000.

With crops after padding by 4 pixels, and flips. For ResNet-110 the paper trains at .01 for the first 400 steps:
warmup = "400/64000", warmup_start = 0.1, warmup_shape = "flat".
He, Zhang, Ren & Sun, CVPR 2016, section 4.2.
"""

densenet2016 = Recipe(
    epochs=300, batch_size=64, learning_rate=0.1, optimizer="nesterov", schedule="steps", milestones=[0.5, 0.75],
    weight_decay=0.0001, decayed="all",
    augment=["pad_and_crop", "flip"],
)  # fmt: skip
"""300 epochs on CIFAR in batches of 64, Nesterov momentum from .1, a tenth after a half and three quarters.

For ImageNet: epochs = 90, batch_size = 256, milestones = ["1/3", "2/3"]. Huang et al., CVPR 2017, section 4.2.
"""

mobilenet2017 = Recipe(
    epochs=300, batch_size=96, learning_rate=0.045, optimizer="rmsprop", schedule="exponential", factor=0.98,
    weight_decay=0.00004, decayed="kernels_but_depthwise",
    augment=[{"name": "area_and_aspect_crop", "smallest": 0.25}, "flip"],
)  # fmt: skip
"""RMSprop, hardly any decay on depthwise kernels, light augmentation; the rate 2 % less every epoch.

Howard et al., 2017, arXiv:1704.04861, section 3.2; the numbers, which it does not give, are those of
MobileNetV2 (Sandler et al., CVPR 2018, section 6.1); epochs and the smallest crop are ours.
"""

efficientnet2019 = Recipe(
    epochs=350, batch_size=4096, learning_rate=0.256, optimizer="rmsprop", warmup=0.0142857142857,
    schedule="exponential", factor=0.97, every=2.4, weight_decay=0.00001, decayed="all_but_batch_norm",
    label_smoothing=0.1, ema=0.9999,
    augment=["area_and_aspect_crop", "flip", {"name": "rand_augment", "strength": 0.9}],
)  # fmt: skip
"""RMSprop from .256 for 4,096 images, 3 % less every 2.4 epochs after 5 of warm-up, smoothing, averaged weights.

The rate grows with the batch: .016 for each 256 images. RandAugment replaces the paper's AutoAugment.
Tan & Le, ICML 2019, section 5.2, and its release.
"""
