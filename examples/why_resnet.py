"""Why ResNet won: plain networks fit worse the deeper they are, shortcuts fix it, and gradients show why.

    python examples/why_resnet.py                                         # 4.7 minutes of CPU time
    python examples/why_resnet.py --depths 20 --images 200 --epochs 1     # 20 seconds of it: a quick try

It prints tables and writes why_resnet.html: the gradients by layer, and the training loss by epoch.

The cells (# %%) open as a notebook in Jupyter (jupytext), VS Code and PyCharm. The networks are a quarter as
wide as those of He, Zhang, Ren & Sun, CVPR 2016, so that a CPU suffices; their depths are the paper's.
"""

# %% Options
import argparse

import altair as alt
import keras
import pandas as pd

from robust import Classifier, datasets
from robust.metrics.profile import gradient_flow
from robust.models import architectures
from robust.models.architectures.normalization import set_normalization

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--depths", type=int, nargs="+", default=[20, 56], help="of 20, 32, 44, 56, 110")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--images", type=int, default=5400, help="of the training split, which has 5400")
parser.add_argument("--width", type=float, default=0.25, help="1 is the paper's")
parser.add_argument("--out", default="why_resnet.html")
args, _ = parser.parse_known_args()  # a notebook has its own arguments

data = datasets.fashion_mini()
train, validation = data.examples("train", args.images), data.examples("validation")

# %% [markdown]
# Each plain network has a residual twin: as many layers and as many weights, but for every two layers a shortcut
# that adds the input to the output. Nothing else differs.


# %%
def build(family, depth):
    """A network for these images, with the mean image of the training split inside, from a fixed seed."""
    keras.utils.set_random_seed(0)
    network = getattr(architectures, f"{family}{depth}")
    model = network(input_shape=data.image_shape, classes=len(data.classes), width=args.width)
    set_normalization(model, train.images)
    return model


models = {f"{family}{depth}": build(family, depth) for depth in args.depths for family in ("plain", "resnet")}

# %% [markdown]
# Before any training: one forward and one backward pass of a batch. How large is the gradient at each layer? A ratio of
# 1 means that it is as large at the first layer as at the last. In a deep plain network it is multiplied at every
# layer, BatchNorm or not; through a shortcut it passes unchanged.

# %%
flows = []
for name, model in models.items():
    values = gradient_flow(Classifier(model, len(data.classes)), data)
    flows.append(pd.DataFrame(values).assign(model=name))
flow = pd.concat(flows)
whole = flow[flow["subset"] == ""].pivot(index="model", columns="metric", values="value").loc[list(models)]
print("At initialisation; output_gradient_ratio: the gradient at the first layer over that at the last")
print(whole[["output_gradient_ratio", "weight_gradient_ratio", "vanishing", "exploding"]].round(2).to_string(), "\n")

# %% [markdown]
# Now all are trained in the same way. Compare the *training* loss: a deeper network that fits its own training images
# worse does not overfit. Its solution exists (the shallow network, and layers that do nothing); it is not found.

# %%
curves = []
for name, model in models.items():
    keras.utils.set_random_seed(0)
    steps = args.epochs * -(-len(train.labels) // 64)
    rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), loss, metrics=["accuracy"])
    held_out = (validation.images, validation.labels)
    history = model.fit(train.images, train.labels, 64, args.epochs, validation_data=held_out, verbose=0).history
    curves.append(pd.DataFrame(history).assign(model=name, epoch=range(1, args.epochs + 1)))
    print(f"{name}: trained, loss {history['loss'][-1]:.3f}", flush=True)
curve = pd.concat(curves)
print(f"\nAfter {args.epochs} epochs")
print(curve.groupby("model", sort=False).last().drop(columns="epoch").round(3).to_string())

# %% [markdown]
# Both as a chart.

# %%
layers = flow[(flow["metric"] == "output_gradient") & (flow["subset"] != "")]
layers = layers.assign(layer=layers.groupby("model").cumcount() + 1)[["model", "layer", "value"]]
gradients = alt.Chart(layers, title="At initialisation", width=380).mark_line().encode(
    x=alt.X("layer", title="layer, from the input on"),
    y=alt.Y("value", title="norm of the gradient by its output").scale(type="log"),
    color=alt.Color("model", sort=list(models)),
)  # fmt: skip
losses = alt.Chart(curve, title="Training", width=380).mark_line(point=True).encode(
    x=alt.X("epoch:O"), y=alt.Y("loss", title="training loss"), color=alt.Color("model", sort=list(models))
)  # fmt: skip
(gradients | losses).save(args.out, inline=True)
print(f"\n{args.out}")
