"""`robust attack`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from robust.api.cli import models
from robust.api.cli.numbers import Whole
from robust.api.cli.preprocessing import Words
from robust.core.types import NewTable, size

if TYPE_CHECKING:
    from robust.api.attack_image import Attacked
    from robust.suite import Model


def attack(
    image: str,
    *,
    model: str = "efficientnet_lite0",
    target: str | None = None,
    eps: str = "1/255",
    attack_: Annotated[str, Parameter(name=["--attack"])] = "pgd",
    set_: Annotated[list[str] | None, Parameter(name=["--set"])] = None,
    classes: str | None = None,
    preprocessing: Words = None,
    output: str | None = None,
    black_box: Annotated[bool, Parameter(negative="")] = False,
    allow_code: Annotated[bool, Parameter(negative="")] = False,
    seed: Whole = 0,
    out: Path | None = None,
) -> int:
    """Attack one image: say what the network sees before and after, and draw image + perturbation = image.

    The exit code is 1 where the network is not fooled by the PNG that is written.

    Parameters
    ----------
    image
        A file, or the name of a photo that comes with the package, as in panda.
    model
        A .keras or .tflite file, the folder of a SavedModel, or the name of ImageNet weights: efficientnet_lite0,
        keras:resnet50.
    target
        The class to reach, as in gibbon; by default any other than the predicted one.
    eps
        The largest change, for pixels in [0, 1]: of each pixel, or with --set norm=l2 of the whole image in L2.
    attack_
        The attack; `robust list attacks` shows them.
    set_
        Another setting of the attack, as in --set steps=10; may be given several times.
    classes
        The names of the classes in the order of the model's outputs, as in --classes cat,dog; or a file of them, one a
        line, or .json.
    preprocessing
        The pixels the model expects, as in --preprocessing 0 255, or caffe, tf, torch for the preprocess_input of
        keras.applications; by default what its first layers show, else 0 1.
    output
        Which of the model's outputs classifies, where it has several.
    black_box
        Use its outputs only, no gradients, as where a softmax cannot be removed; for --attack square or noise.
    allow_code
        Allow third-party code: of the file (a Lambda, a class of another module), or an attack module:function.
    seed
        Of the attack.
    out
        The folder for adversarial.png and triptych.png; by default reports/IMAGE-as-TARGET, with the attack where it
        is not pgd.
    """
    from robust.core import key_values, quiet
    from robust.suite import presentation

    key_values.refuse([attack_], allow_code)
    call = key_values.bind("attacks", attack_, [f"eps={eps}", *(set_ or [])], "--set")
    chosen = _model(model, models.options(preprocessing, output, black_box), allow_code)
    quiet.tensorflow()
    from robust.api.attack_image import attack as attack_one

    names = None if classes is None else presentation(classes)["classes"]
    by = "" if attack_ == "pgd" else f"-by-{attack_}"  # so that one attack does not overwrite another's images
    place = f"{Path(image).stem}-as-{target or 'anything'}{by}".replace(" ", "-").replace(":", "-")
    folder = out or Path("reports") / place
    found = attack_one(image, chosen, call, target=target, classes=names, seed=seed, out=folder)
    if found.notes:
        print(f"{model}: {'; '.join(found.notes)}; the image as {' x '.join(map(str, found.image.shape))}")
    _print_result(found, f"{image} shown to {model}, and after {call.name}:")
    print(f"{folder / 'triptych.png'} {folder / 'adversarial.png'}")
    return 0 if found.fooled else 1


def _model(name: str, options: NewTable, allow_code: bool) -> "Model":
    from robust.suite import read_model

    table = {models.kind(name) if models.is_file(name) else "pretrained": name, **options}
    return read_model(Path(name).stem, table, allow_code=allow_code)


def _print_result(found: "Attacked", title: str) -> None:
    print(title)
    for (before, was), (after, now) in zip(found.top(0), found.top(1), strict=True):
        print(f"  {before:28} {was:7.2%}    {after:28} {now:7.2%}")
    [(name, sure)] = found.top(2, 1)
    outcome = "fooled" if found.fooled else "not fooled"
    change = (
        "the change is below 1/255, which no PNG can hold"
        if found.is_lost
        else f"the largest change is {size(found.linf, 'linf')}"
    )
    print(f"{outcome}: read back, the PNG is {name} at {sure:.2%}; {change}")
