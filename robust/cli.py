"""The command line: thin functions over the API.

Exit codes: 0 all bounds passed, 1 a bound was missed, 2 bad usage or input.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from robust import catalog
from robust.errors import RobustError, suggest

app = App(
    name="robust",
    help="pytest for the robustness of image classifiers.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)


@app.command
def run(
    suite: Path,
    *,
    out: Path | None = None,
    k: Annotated[str, Parameter(name=["-k"])] = "",
    trust: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run a suite: train its models, run its cases, write the tables and the page.

    Parameters
    ----------
    suite
        The suite file.
    out
        The folder of the report; reports/<name of the suite> where it is not given.
    k
        Only the cells whose id fits, as in pytest: "pgd and not lenet5".
    trust
        Let the suite run somebody's code ("module:function", python =).
    """
    from robust import quiet
    from robust import suite as suites

    loaded = suites.load(suite, trust=trust)  # a mistake in it is told before TensorFlow is imported
    quiet.tensorflow()
    from robust import progress
    from robust.run import run as run_suite

    folder = out or Path("reports") / loaded.name
    with progress.on(sys.stderr) as shown:
        results = run_suite(loaded, folder, k=k, progress=shown)
    return _verdict(results, folder)


def _verdict(results, folder: Path) -> int:  # type: ignore[no-untyped-def]
    judged = results[results["passed"].notna()]
    missed = judged[~judged["passed"].astype(bool)]
    for row in missed.to_dict("records"):
        name = f"{row['metric']}[{row['group']}]" if row["group"] else row["metric"]
        interval = f"[{row['low']:.3f}, {row['high']:.3f}]"
        print(f"missed: {row['case']}[{row['model']}] {name} {row['value']:.3f} {interval} is not {row['bound']}")
    verdict = f"{len(judged) - len(missed)} of {len(judged)} bounds passed" if len(judged) else "no bounds to judge"
    print(f"{verdict}; the page: {folder / 'index.html'}")
    return 1 if len(missed) else 0


@app.command(name="list")
def list_(kind: str | None = None) -> int:
    """Show what there is: architectures, attacks, corruptions, measures, datasets, augmentations, recipes and more.

    Parameters
    ----------
    kind
        Only this catalogue.
    """
    from robust import listing
    from robust.errors import SuiteError

    if kind is not None and kind not in catalog.KINDS:
        raise SuiteError(f"there is no catalogue {kind!r}{suggest(kind, catalog.KINDS)}")
    print(listing.text([kind] if kind else list(catalog.KINDS)))
    return 0


@app.command
def describe(
    network: str | None = None,
    *,
    option: Annotated[list[str] | None, Parameter(negative="")] = None,
    classes: int | None = None,
    input_shape: Annotated[tuple[int, int, int] | None, Parameter(negative="")] = None,
    all_: Annotated[bool, Parameter(name=["--all"], negative="")] = False,
    out: Path | None = None,
) -> int:
    """Show what a network costs, layer by layer: shapes, parameters, multiply-accumulates, memory of an image.

    Parameters
    ----------
    network
        The name of an architecture, or a .keras file.
    option
        Of the architecture, as in --option norm=batch; may be given several times.
    classes
        How many classes it tells apart; the architecture's own where it is not given.
    input_shape
        Height, width and channels, as in --input-shape 32 32 3.
    all_
        Every architecture beside its published counts, in one table; and the page reports/architectures.
    out
        Of one network, a CSV file for its layers; with --all, the folder of the page.
    """
    from robust import quiet, typed
    from robust.errors import SuiteError

    if all_ == (network is not None):
        raise SuiteError("describe: name a network, as in `robust describe vgg16`, or say --all")
    if all_ and (option or classes or input_shape):
        raise SuiteError("describe --all: the family is counted as published; name a network to set its options")
    if network is not None and not network.endswith(".keras"):
        # a mistake in it is told before TensorFlow is imported
        typed.bind("architectures", network, option or [], "--option")
    quiet.tensorflow()
    from robust import describe as describing
    from robust import progress, terminal

    if network is None:
        with progress.on(sys.stderr) as shown:
            terminal.family(describing.write(folder := out or Path("reports/architectures"), shown))
        print(f"the page: {folder / 'index.html'}")
        return 0
    given = {"classes": classes, "input_shape": input_shape}
    shape = {key: value for key, value in given.items() if value is not None}
    table = describing.layers(network, option or [], out, **shape)
    terminal.layers(table)
    print(f"\n{describing.in_words(table)}")
    return 0


@app.command
def train(
    network: str,
    *,
    data: str = "fashion_mini",
    recipe: str = "short",
    out: Path | None = None,
    seed: int = 0,
    epochs: int | None = None,
    set_: Annotated[list[str] | None, Parameter(name=["--set"])] = None,
    option: list[str] | None = None,
    precision: str | None = None,
    strategy: str | None = None,
    adversary: str | None = None,
    eps: str | None = None,
    objective: str | None = None,
    tensorboard: Path | None = None,
) -> int:
    """Train or fine-tune a network and write it to a .keras file; run it again to go on where it was stopped.

    Parameters
    ----------
    network
        The name of an architecture, as `robust list architectures` shows them; or what has weights and is to be
        fine-tuned: a .keras file, or keras:resnet50 for the weights of keras.applications.
    data
        The name of a data set; its test split is looked at once, at the end.
    recipe
        How it is trained; `robust list recipes` shows them.
    out
        The .keras file; where it is not given, NETWORK.keras, or NETWORK-tuned.keras of one that had weights.
        The history is the .csv beside it.
    seed
        Of the initialisation, the order of the images and all else that is random.
    epochs
        Instead of the recipe's.
    set_
        Another field of the recipe, as in --set learning_rate=.05 or --set freeze=conv1; may be given several times.
    option
        Of the architecture, as in --option form=1998; may be given several times.
    precision
        float32, mixed_float16 or mixed_bfloat16.
    strategy
        mirrored: all devices of this machine; multi_worker: all machines that TF_CONFIG names.
    adversary
        Train against it: fgsm, pgd.
    eps
        The radius of the adversary's ball, as in 8/255.
    objective
        What is weighed of the images and the adversary's: trades, mart.
    tensorboard
        A folder for TensorBoard's logs.
    """
    from robust import quiet, typed
    from robust.suite import read_data, read_model

    has_weights = network.endswith(".keras") or network.startswith("keras:")
    name = network.removesuffix(".keras").removeprefix("keras:").rpartition("/")[2]
    given = {"epochs": epochs, "precision": precision, "strategy": strategy}
    fields = {key: value for key, value in given.items() if value is not None}
    table = {"recipe": recipe, **typed.settings("recipes", recipe, set_ or [], "--set"), **fields}
    if adversary is not None or eps is not None:
        table["adversary"] = {"name": adversary or "pgd", "eps": eps or "8/255"}
    if objective is not None:
        table["objective"] = objective
    source = _with_weights(network, option) if has_weights else _architecture(network, option)
    model, images = read_model(name, {**source, "train": table}, seed), read_data(data)
    quiet.tensorflow()
    from robust import models, progress
    from robust.train import train as train_model

    path = out or Path(f"{name}-tuned.keras" if has_weights else f"{name}.keras")
    with progress.on(sys.stderr) as shown:
        done = train_model(model, images, path, progress=shown, logs=tensorboard)
    print(done.in_words())
    if models.is_chief(model):  # of several machines one writes
        print(f"{path} {path.with_suffix('.csv')}")
    return 0


def _architecture(name: str, option: list[str] | None) -> dict:
    from robust import typed

    return {"architecture": {"name": name, **typed.settings("architectures", name, option or [], "--option")}}


def _with_weights(network: str, option: list[str] | None) -> dict:
    from robust.errors import SuiteError

    if option:
        raise SuiteError(f"--option {option[0]}: {network} is built already; its training is set by --set")
    return {"keras" if network.endswith(".keras") else "pretrained": network}


@app.command
def show(
    data: str,
    *,
    augment: list[str],
    out: Path = Path("augmented.png"),
    images: int = 8,
    epochs: int = 8,
    seed: int = 0,
) -> int:
    """Draw training images as augmentations change them: a row an image, first as it is, then epoch by epoch.

    Parameters
    ----------
    data
        The name of a data set, or the path of a folder or an .npz file.
    augment
        An augmentation, or a recipe for all of its own: `robust list augmentations`; may be given several times.
    out
        The PNG file.
    images
        Rows.
    epochs
        Columns after the first.
    seed
        Of the training: what is shown is what a training of this seed sees.
    """
    from robust import quiet
    from robust.suite import read_data

    source = read_data(data)
    quiet.tensorflow()
    from robust import show as showing

    print(showing.picture(source(), showing.augmentations(augment), out, images=images, epochs=epochs, seed=seed))
    return 0


@app.command
def report(folder: Path) -> int:
    """Draw the page of a report folder again, from the folder alone; TensorFlow is not needed.

    Parameters
    ----------
    folder
        What `robust run` has filled: results.csv, outcomes.parquet, samples/, environment.json. Or what
        `robust describe --all` has: architectures.csv, vgg16.csv.
    """
    from robust import report as page

    print(page.write(folder))
    return 0


def main() -> None:
    """The entry point: errors of the user's making are one line on stderr, and exit code 2."""
    try:
        sys.exit(app(sys.argv[1:], exit_on_error=False, print_error=True))
    except CycloptsError:
        sys.exit(2)
    except RobustError as error:
        print(f"robust: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # `robust list | head`: whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        print("robust: stopped; run it again to go on", file=sys.stderr)
        sys.exit(130)
