import sys
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robust.core.errors import SuiteError
from robust.core.signature import Call
from robust.suite import Architecture, Case, Model, ModelFile, Python, Suite, Training, load
from robust.suite.bounds import parse
from robust.suite.preprocessing import Preprocessing

QUICK = Path(__file__).parents[2] / "suites/quick.toml"

# Every key that a suite may have. Line 1 is the first.
COMPLETE = """\
summary = "All of it"
seed = 7
data = { name = "fashion_mini" }

[model.plain]
architecture = "lenet5"

[model.small]
architecture = { name = "resnet20", shortcut = "B", width = "1/2" }
train = "short"
seeds = [0, 1, 2]

[model.hardened]
architecture = "resnet20"
train = { recipe = "short", epochs = 12, adversary = { name = "fgsm", eps = "8/255" } }

[model.stored]
keras = "stored.keras"
preprocessing = [0, 255]

[case.clean]
metrics = ["accuracy", { name = "confusion", pairs = 3 }]
profile = ["cost"]
max_images = 200
expect = { top1 = ">= 0.80", "recall[Shirt]" = "in [0, 0.9]", "confused[Shirt -> Coat]" = "< 1/2", parameters = "> 0" }

[case.pgd]
attack = { name = "pgd", norm = "l2", eps = ["8/255", 1, "2/255"], steps = 20, target = "next" }
models = ["small", "hardened"]
expect = { targeted_success_rate = "<= 0.5" }

[case.sandals]
attack = { name = "fgsm", eps = 0, target = { Sandal = "Sneaker" } }

[case.theirs]
attack = { name = "foolbox:LinfPGD", eps = "8/255", steps = 3 }

[case.noise]
corruption = { name = "gaussian_noise", severity = [5, 1, 3] }

[case.default-noise]
corruption = "gaussian_noise"

[case.shifted]
data = "fashion_mini"

[case.looks]
profile = ["cost"]
"""

SHORT = """\
data = { name = "fashion_mini" }

[model.m]
architecture = "lenet5"

[case.c]
"""


def write(folder, text, name="suite.toml"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


def refused(folder, text, **options):
    """What `load` says of the text, without the folder."""
    path = write(folder, text)
    with pytest.raises(SuiteError) as error:
        load(path, **options)
    assert str(error.value).startswith(f"{path}")
    return str(error.value).removeprefix(f"{folder}/")


@pytest.fixture
def complete(tmp_path):
    (tmp_path / "stored.keras").write_bytes(b"")
    return load(write(tmp_path, COMPLETE))


def test_a_suite_has_all_that_its_file_says(complete, tmp_path):
    assert isinstance(complete, Suite)
    assert (complete.name, complete.summary, complete.seed) == ("suite", "All of it", 7)
    assert (complete.path, complete.text) == (tmp_path / "suite.toml", COMPLETE)
    assert complete.data == Call("datasets", "fashion_mini", {})
    assert [m.name for m in complete.models] == ["plain", "small", "hardened", "stored"]
    assert [c.name for c in complete.cases] == [
        "clean", "pgd", "sandals", "theirs", "noise", "default-noise", "shifted", "looks",
    ]  # fmt: skip


def test_models_are_what_the_file_says(complete, tmp_path):
    plain, small, hardened, stored = complete.models
    lenet5 = Call("architectures", "lenet5", {"form": "modern", "width": 1.0})
    assert plain == Model("plain", Architecture(lenet5), None, (7,), None)
    assert small.source.call.name == "resnet20"
    assert small.source.call.arguments.items() >= {"shortcut": "B", "width": 0.5}.items()
    assert small.train == Training(complete.models[1].train.recipe, None)
    assert small.train.recipe.name == "short"
    assert small.train.recipe.arguments["epochs"] == 10
    assert small.seeds == (0, 1, 2)
    assert hardened.train.recipe.arguments["epochs"] == 12
    assert hardened.train.adversary.name == "fgsm"
    assert hardened.train.adversary.arguments["eps"] == 8 / 255
    assert stored == Model("stored", ModelFile(tmp_path / "stored.keras"), None, (7,), Preprocessing(0.0, 255.0))


def test_cases_are_what_the_file_says(complete):
    clean, pgd, sandals, theirs, noise, default_noise, shifted, looks = complete.cases
    assert clean == Case(
        "clean",
        metrics=(Call("metrics", "accuracy", {}), Call("metrics", "confusion", {"pairs": 3})),
        profile=(Call("profile", "cost", {}),),
        max_images=200,
        expect={
            "top1": parse(">= 0.80"),
            "recall[Shirt]": parse("in [0, 0.9]"),
            "confused[Shirt -> Coat]": parse("< 1/2"),
            "parameters": parse("> 0"),
        },
        line=21,
    )
    assert [call.arguments["eps"] for call in pgd.perturbations] == [2 / 255, 8 / 255, 1.0]
    assert {(call.name, call.arguments["norm"], call.arguments["steps"]) for call in pgd.perturbations} == {
        ("pgd", "l2", 20)
    }
    assert (pgd.target, pgd.models, pgd.line) == ("next", ("small", "hardened"), 27)
    assert sandals.target == {"Sandal": "Sneaker"}
    assert "target" not in sandals.perturbations[0].arguments
    assert theirs.perturbations[0].name == "foolbox:LinfPGD"
    assert [call.arguments["severity"] for call in noise.perturbations] == [1, 3, 5]
    assert [call.arguments["severity"] for call in default_noise.perturbations] == [3]
    assert shifted == Case("shifted", data=Call("datasets", "fashion_mini", {}), metrics=clean.metrics[:1], line=44)
    assert (looks.metrics, looks.profile) == ((), clean.profile)


def test_cells_are_every_case_on_every_model_it_asks_for(complete):
    ids = [cell.id for cell in complete.evaluations()]
    assert len(ids) == len(set(ids)) == 7 * 6 + 4
    assert ids[:3] == ["clean[plain]", "sandals[plain]", "theirs[plain]"]
    assert [i for i in ids if i.startswith("pgd")] == [
        "pgd[small-0]", "pgd[small-1]", "pgd[small-2]", "pgd[hardened]",
    ]  # fmt: skip
    assert [cell.seed for cell in complete.evaluations() if cell.case.name == "pgd"] == [0, 1, 2, 7]


def test_the_suite_in_the_readme_is_read(tmp_path):
    suite = load(QUICK)
    assert [cell.id for cell in suite.evaluations()][-1] == "survives[hardened]"
    assert load(str(QUICK)) == suite


def test_the_shortest_suite_measures_accuracy_on_all_images(tmp_path):
    suite = load(write(tmp_path, SHORT))
    assert suite.cases == (Case("c", line=6),)
    assert (suite.seed, suite.summary) == (0, "")


def test_tables_may_be_written_in_any_of_toml_s_ways(tmp_path):
    dotted = SHORT + 'attack.name = "pgd"\nattack.eps = [\n  "8/255", # later\n  "2/255",\n]\nexpect.top1 = ">= 0"\n'
    nested = SHORT + '[case.c.attack]\nname = "pgd"\neps = ["2/255", "8/255"]\n[case.c.expect]\ntop1 = ">= 0"\n'
    inline = SHORT + 'attack = { name = "pgd", eps = ["2/255", "8/255"] }\nexpect = { top1 = ">= 0" }\n'
    cases = {name: load(write(tmp_path, text)).cases for name, text in [("d", dotted), ("n", nested), ("i", inline)]}
    assert cases["d"] == cases["n"] == cases["i"]


def test_a_suite_is_not_changed_by_reading_it_twice(tmp_path):
    path = write(tmp_path, SHORT + 'attack = { name = "pgd", eps = 1, target = "next" }\n')
    assert load(path) == load(path)
    assert MappingProxyType(dict(load(path).cases[0].expect)) == {}


# The smallest suite there is: its data (line 1), model (lines 2 and 3) and case (line 4).
D, M, C = 'data = "fashion_mini"\n', '[model.m]\narchitecture = "lenet5"\n', "[case.c]\n"
DMC = D + M + C
MISTAKES = [
    # the suite
    ("", "1: the file is empty; it needs data, a [model.NAME] and a [case.NAME]"),
    ("\n# nothing\n", "1: the file is empty; it needs data, a [model.NAME] and a [case.NAME]"),
    (M + C, '1: there is no data; write data = { name = "fashion_mini" }'),
    ("data = {}\n" + M + C, '1: there is no data; write data = { name = "fashion_mini" }'),
    (D + C, "1: there is no model; write [model.NAME]"),
    ("seed = 1\n" + D + "[model]\n" + C, "3: there is no model; write [model.NAME]"),
    (D + M, "1: there is no case; write [case.NAME]"),
    (D + M + "[case]\n", "4: there is no case; write [case.NAME]"),
    (D + "sed = 3\n" + M + C, "2: a suite has no 'sed'; did you mean 'seed'?"),
    (D + "[models.m]\n" + C, "2: a suite has no 'models'; did you mean 'model'?"),
    (D + "xyz = 3\n" + M + C, "2: a suite has no 'xyz'; allowed: summary, seed, data, model, case"),
    (D + "seed = -1\n" + M + C, "2: seed = -1: must be a number in [0, 2.14748e+09]"),
    (D + "seed = true\n" + M + C, "2: seed = True: must be a whole number"),
    (D + "seed = 1.0\n" + M + C, "2: seed = 1.0: must be a whole number"),
    (D + "seed = 1979-05-27\n" + M + C, "2: seed = datetime.date(1979, 5, 27): must be a whole number"),
    (D + "summary = 3\n" + M + C, "2: summary = 3: must be a string"),
    ('data = "fashion_maxi"\n' + M + C, "1: no datasets named 'fashion_maxi'; did you mean 'fashion_mini'?"),
    ("data = 3\n" + M + C, "1: data = 3: must be a name, or a table with a name"),
    ("data = { nam = 3 }\n" + M + C, "1: data = {'nam': 3}: must be a name, or a table with a name"),
    ('data = { name = "fashion_mini", size = 3 }\n' + M + C, "1: size: fashion_mini takes no 'size'"),
    ('\n[data]\nname = "fashion_mini"\nsize = 3\n' + M + C, "4: size: fashion_mini takes no 'size'"),
    (D + "model = 3\n" + C, "2: model = 3: must be a table"),
    (D + "model.m = 3\n" + C, "2: model.m = 3: must be a table"),
    (D + '[[model]]\nname = "m"\n' + C, "2: model = [{'name': 'm'}]: must be a table"),
    (D + M + 'case.c = "pgd"\n' + C,
     "4: a model has no 'case'; allowed: architecture, keras, tflite, pretrained, python, train"),
    # TOML
    (D + D + M + C, "2: not TOML: Cannot overwrite a value"),
    (DMC + M, "5: not TOML: Cannot declare ('model', 'm') twice"),
    (DMC + 'max_images = 3\nmax_images = 4\n', "6: not TOML: Cannot overwrite a value"),
    (D + M + 'architecture = lenet5\n' + C, "4: not TOML: Invalid value"),
    (DMC + "attack = {\n", "5: not TOML: "),
    ("data = [\n", "2: not TOML: "),
    ("three blind mice", "1: not TOML: "),
    ("seed = " + "9" * 5000, "1: not TOML: "),
    ("seed = " + "[" * 5000, "1: not TOML: "),
    # a model
    (D + M + "architectur = 3\n" + C, "4: a model has no 'architectur'; did you mean 'architecture'?"),
    (D + "[model.m]\nseeds = [1]\n" + C,
     "2: a model is one of architecture, keras, tflite, pretrained, python; this one has none"),
    (D + "[model.m]\n" + C, "2: a model is one of architecture, keras, tflite, pretrained, python; this one has none"),
    (D + M + 'keras = "a.keras"\n' + C,
     "2: a model is one of ... this one has architecture and keras"),
    (D + '[model.m]\narchitecture = "resnet21"\n' + C,
     "3: no architectures named 'resnet21'; did you mean 'resnet20'?"),
    (D + '[model.m]\narchitecture = { name = "lenet5", from = 3 }\n' + C,
     "3: from: lenet5 takes no 'from'; did you mean 'form'?"),
    (D + '[model.m.architecture]\nname = "lenet5"\nform = "1997"\n' + C,
     "4: form = '1997': not known; did you mean '1998'?"),
    (D + '[model.m]\narchitecture = { name = "lenet5", width = 0 }\n' + C, "3: width = 0: must be a number > 0"),
    (D + '[model.m]\narchitecture = { name = "lenet5", width = true }\n' + C, "3: width = True: must be a number"),
    (D + '[model.m]\narchitecture = { name = "lenet5", classes = 3 }\n' + C, "3: classes: lenet5 takes no 'classes'"),
    (D + '[model.m]\narchitecture = ["lenet5"]\n' + C,
     "3: architecture = ['lenet5']: must be a name, or a table with a name"),
    (D + '[model.m]\npretrained = "resnet50"\n' + C,
     "3: pretrained = 'resnet50': not known; did you mean 'keras:resnet50'?"),
    (D + '[model.m]\nkeras = 3\n' + C, "3: keras = 3: must be a string"),
    (D + '[model.m]\nkeras = "none.keras"\n' + C, "3: keras = 'none.keras': there is no such file in "),
    (D + '[model.m]\nkeras = "suite.toml"\n' + C,
     "3: keras = 'suite.toml': must be a .keras file, as model.save(\"suite.keras\") writes"),
    (D + '[model.m]\nkeras = "suite.toml"\nseeds = [1, 2]\n' + C,
     "4: seeds: this model is keras without train, so all would be the same"),
    (D + '[model.m]\ntrain = "short"\npython = "their:net"\n' + C,
     "3: train: a model created by third-party code cannot be trained"),
    (D + M + "seeds = []\n" + C, "4: seeds = []: the list is empty"),
    (D + M + "seeds = 3\n" + C, "4: seeds = 3: must be a list"),
    (D + M + "seeds = [0, 1, 0]\n" + C, "4: seeds: has a duplicate"),
    (D + M + "seeds = [0, -1]\n" + C, "4: seeds[1] = -1: must be a number in [0, 2.14748e+09]"),
    (D + M + 'seeds = [\n  0,\n  "1",\n]\n' + C, "4: seeds[1] = '1': must be a whole number"),
    (D + M + "preprocessing = 255\n" + C,
     "4: preprocessing = 255: must be the lowest and the highest, as in preprocessing = [0, 255]"),
    (D + M + "preprocessing = [255, 0]\n" + C, "4: preprocessing = [255, 0]: must be the lowest and the highest"),
    (D + M + 'attack_precision = "bfloat61"\n' + C, "4: attack_precision = 'bfloat61'"),
    (D + M + "preprocessing = [0]\n" + C, "4: preprocessing = [0]: must be the lowest and the highest"),
    (D + M + "preprocessing = [nan, 1]\n" + C, "4: preprocessing = [nan, 1]: must be the lowest and the highest"),
    (D + M + "preprocessing = [0, inf]\n" + C, "4: preprocessing = [0, inf]: must be the lowest and the highest"),
    (D + M + 'preprocessing = [0, "x"]\n' + C, "4: preprocessing = [0, 'x']: must be the lowest and the highest"),
    (D + M + 'preprocessing = "cafe"\n' + C, "4: preprocessing = 'cafe': not known; did you mean 'caffe'?"),
    (D + M + "black_box = 1\n" + C, "4: black_box = 1: must be true or false"),
    # its training
    (D + M + 'train = "shrt"\n' + C, "4: no recipes named 'shrt'; did you mean 'short'?"),
    (D + M + "train = 3\n" + C, "4: train = 3: must be a table"),
    (D + M + "train = {}\n" + C, "4: train needs a recipe; allowed: alexnet2012, "),
    (D + M + "train = { recipe = 3 }\n" + C, "4: train = {'recipe': 3}: write train = { recipe = \"short\" }"),
    (D + M + 'train = { recipe = "short", name = "short" }\n' + C,
     "4: train = {'recipe': 'short', 'name': 'short'}: write"),
    (D + M + 'train = { recipe = "short", epoch = 3 }\n' + C,
     "4: epoch: short takes no 'epoch'; did you mean 'epochs'?"),
    (D + M + 'train = { recipe = "short", epochs = 0 }\n' + C, "4: epochs = 0: must be a number >= 1"),
    (D + M + '[model.m.train]\nrecipe = "short"\nepochs = 1.5\n' + C, "6: epochs = 1.5: must be a whole number"),
    (D + M + 'train = { recipe = "short", adversary = "pgb" }\n' + C,
     "4: no adversaries named 'pgb'; did you mean 'pgd'?"),
    (D + M + 'train = { recipe = "short", adversary = "pgd" }\n' + C, "4: pgd needs eps"),
    (D + M + '[model.m.train]\nrecipe = "short"\n[model.m.train.adversary]\nname = "pgd"\neps = -1\n' + C,
     "8: eps = -1: must be a number >= 0"),
    # a case
    (DMC + 'atack = "pgd"\n', "5: a case has no 'atack'; did you mean 'attack'?"),
    (DMC + 'attack = "fgsm"\ncorruption = "gaussian_noise"\n',
     "6: a case has attack, corruption or minimal; this one has attack and corruption"),
    (DMC + 'attack = "fgms"\n', "5: no attacks named 'fgms'; did you mean 'fgsm'?"),
    (DMC + 'attack = "fgsm"\n', "5: fgsm needs eps"),
    (DMC + "attack = {}\n", "5: attack = {}: must be a name, or a table with a name"),
    (DMC + "attack = 3\n", "5: attack = 3: must be a table"),
    (DMC + 'attack = ["pgd"]\n', "5: attack = ['pgd']: must be a table"),
    (DMC + 'attack = { name = "pgd", eps = 1, step = 3 }\n', "5: step: pgd takes no 'step'; did you mean 'steps'?"),
    (DMC + 'attack = { name = "pgd", eps = -1 }\n', "5: attack.eps = -1: must be a number >= 0"),
    (DMC + 'attack = { name = "pgd", eps = inf }\n', "5: attack.eps = inf: must be a number >= 0"),
    (DMC + 'attack = { name = "pgd", eps = "8/2 55" }\n', "5: attack.eps = '8/2 55': not a number; write"),
    (DMC + 'attack = { name = "pgd", eps = "1e999999999" }\n', "5: attack.eps = '1e999999999': not a number; write"),
    (DMC + 'attack = { name = "pgd", eps = [] }\n', "5: attack.eps = []: the list is empty"),
    (DMC + 'attack = { name = "pgd", eps = [0.1, 0.1] }\n', "5: attack.eps: has a duplicate"),
    (DMC + 'attack = { name = "pgd", eps = ["8/255", "16/510"] }\n', "5: attack.eps: has a duplicate"),
    (DMC + 'attack = { name = "pgd", eps = [0, [1]] }\n', "5: attack.eps[1] = [1]: must be a number"),
    (DMC + '[case.c.attack]\nname = "pgd"\nsteps = 3\neps = "x"\n', "8: attack.eps = 'x': not a number; write"),
    (DMC + '[case.c.attack]\nname = "pgd"\neps = [\n  1,\n  -1,\n]\n', "7: attack.eps[1] = -1: must be a number >= 0"),
    (DMC + '[case.c.attack]\nname = "pgd"\neps = 1\nnorm = "l5"\n', "8: norm = 'l5': not known; allowed: linf, l2, l1"),
    (DMC + 'attack.name = "pgd"\nattack.eps = 1\nattack.steps = 0\n', "7: steps = 0: must be a number >= 1"),
    (DMC + 'attack = { name = "pgd", eps = 1, target = 3 }\n', "5: attack.target = 3: must be a string"),
    (DMC + 'attack = { name = "pgd", eps = 1, target = { a = 3 } }\n', "5: attack.target.a = 3: must be a string"),
    (DMC + 'attack = { name = "pgd", eps = 1, targets = [1] }\n', "5: targets: pgd takes no 'targets'"),
    (DMC + 'attack = { name = "foolbox:LinfPDG", eps = 1 }\n',
     "5: Foolbox has no attack 'foolbox:LinfPDG'; did you mean 'foolbox:LinfPGD'?"),
    (DMC + 'attack = { name = "foolbox:PGD", eps = 1, stps = 1 }\n', "5: stps: foolbox:PGD takes no 'stps'; did you"),
    (DMC + 'corruption = "gausian_noise"\n', "5: no corruptions named 'gausian_noise'; did you mean 'gaussian_noise'?"),
    (DMC + 'corruption = { name = "gaussian_noise", severity = 6 }\n',
     "5: corruption.severity = 6: must be a number in [1, 5]"),
    (DMC + 'corruption = { name = "gaussian_noise", severity = [1, 0] }\n',
     "5: corruption.severity[1] = 0: must be a number"),
    (DMC + 'corruption = { name = "gaussian_noise", target = "next" }\n',
     "5: target: gaussian_noise takes no 'target'"),
    (DMC + 'data = "fashion_maxi"\n', "5: no datasets named 'fashion_maxi'; did you mean 'fashion_mini'?"),
    (DMC + 'metrics = "accuracy"\n', "5: metrics = 'accuracy': must be a list"),
    (DMC + "metrics = []\n", "5: metrics = []: the list is empty"),
    (DMC + 'metrics = ["acuracy"]\n', "5: no metrics named 'acuracy'; did you mean 'accuracy'?"),
    (DMC + 'metrics = ["accuracy", "accuracy"]\n', "5: metrics: has a duplicate"),
    (DMC + 'metrics = ["accuracy", { name = "accuracy" }]\n', "5: metrics: has a duplicate"),
    (DMC + 'metrics = [\n  "accuracy",\n  { name = "confusion", pairs = 0 },\n]\n',
     "5: pairs = 0: must be a number >= 1"),
    (DMC + "metrics = [3]\n", "5: metrics = 3: must be a name, or a table with a name"),
    (DMC + "profile = []\n", "5: profile = []: the list is empty"),
    (DMC + 'profile = ["costs"]\n', "5: no profile named 'costs'; did you mean 'cost'?"),
    (
        DMC + 'metrics = [{ name = "calibration", bins = 10 }, { name = "calibration", bins = 15 }]\n',
        "5: metrics: has a duplicate",
    ),
    (DMC + 'profile = ["cost", "cost"]\n', "5: profile: has a duplicate"),
    (DMC + "max_images = 0\n", "5: max_images = 0: must be a number >= 1"),
    (DMC + "balanced = true\n", "5: balanced = true sets how images are chosen; also set how many, as in max_images"),
    (DMC + 'max_images = "all"\n', "5: max_images = 'all': must be a whole number"),
    (DMC + 'models = "m"\n', "5: models = 'm': must be a list"),
    (DMC + "models = []\n", "5: models = []: the list is empty"),
    (DMC + 'models = ["m", "m"]\n', "5: models: has a duplicate"),
    (DMC + "models = [3]\n", "5: models[0] = 3: must be a string"),
    (D + M + '[model.resnet]\narchitecture = "resnet20"\n[case.c]\nmodels = ["resnets"]\n',
     "7: models: there is no model 'resnets'; did you mean 'resnet'?"),
    # what it expects
    (DMC + 'expect = ">= 1"\n', "5: expect = '>= 1': must be a table"),
    (DMC + "expect = { top1 = 0.8 }\n",
     '5: expect.top1: bound 0.8: must be a string like ">= 0.80" or "in [0, 0.3]"'),
    (DMC + 'expect = { top1 = "=> 0.8" }\n',
     "5: expect.top1: bound '=> 0.8': write \">= 0.80\", \"> 0.8\", \"<= 0.2\", \"< 0.2\", \"in [0, 0.3]\""),
    (DMC + '[case.c.expect]\ntop1 = ">= 0"\ntop5 = "in [1, 0]"\n',
     "7: expect.top5: bound 'in [1, 0]': the range [1, 0] is empty"),
    (DMC + 'expect = { top2 = ">= 0" }\n', "5: expect: this case has no metric 'top2'; did you mean 'top1'?"),
    (DMC + 'expect = { recall = ">= 0" }\n', "5: expect: this case has no metric 'recall'"),
    (DMC + 'metrics = ["confusion"]\nexpect = { top1 = ">= 0" }\n',
     "6: expect: ... no metric 'top1'; ... worst_class, worst_pair, recall_std, recall, precision"),
    (DMC + 'metrics = ["confusion"]\n[case.c.expect]\n"recal[a.b]" = ">= 0"\n',
     "7: expect: this case has no metric 'recal[a.b]'; did you mean 'recall'?"),
    (DMC + 'metrics = ["confusion"]\nexpect = { "recall[Shirt" = ">= 0" }\n',
     "6: expect: this case has no metric 'recall[Shirt'; did you mean 'recall'?"),
    (DMC + 'metrics = ["confusion"]\nexpect = { "recall[]" = ">= 0" }\n',
     "6: expect: this case has no metric 'recall[]'"),
    (DMC + 'expect = { targeted_success_rate = ">= 0" }\n',
     "5: expect: ... no metric 'targeted_success_rate'; ... an attack with a target"),
    (DMC + 'attack = { name = "pgd", eps = 1 }\nexpect.targeted_success_rate = ">= 0"\n',
     "6: expect: ... no metric 'targeted_success_rate'; ... an attack with a target"),
    (DMC + 'profile = ["cost"]\nexpect = { top1 = ">= 0" }\n', "6: expect: this case has no metric 'top1'"),
    # names
    (D + M + '[case."a b"]\n', "4: case 'a b': a name has letters, digits and _, and after the first also . + -"),
    (D + '[model."a/b.c"]\narchitecture = "lenet5"\n' + C, "2: model 'a/b.c': a name has letters"),
    (D + M + '[case.".."]\n', "4: case '..': a name has letters"),
    (D + M + '[case."pgd[1]"]\n', "4: case 'pgd[1]': a name has letters"),
    (D + M + '[case.""]\n', "4: case '': a name has letters"),
    (D + M + '[case."é"]\n', "4: case 'é': a name has letters"),
    (D + M + '[case."-k"]\n', "4: case '-k': a name has letters"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), MISTAKES)
def test_a_mistake_is_told_with_file_and_line(tmp_path, text, says):
    start, *rest = says.split(" ... ")
    said = refused(tmp_path, text)
    assert said.startswith(f"suite.toml:{start}") and all(part in said for part in rest)


def test_an_error_after_a_long_summary_has_its_line(tmp_path):
    text = 'summary = """\nseed = 1\n[case.c]\n"""\n' + DMC + "max_images = 0\n"
    assert refused(tmp_path, text) == "suite.toml:9: max_images = 0: must be a number >= 1"


def test_an_error_in_a_file_of_windows_has_its_line(tmp_path):
    text = (DMC + "max_images = 0\n").replace("\n", "\r\n").encode()
    assert refused(tmp_path, text) == "suite.toml:5: max_images = 0: must be a number >= 1"


def test_what_is_not_utf_8_is_told(tmp_path):
    said = refused(tmp_path, b'summary = "\xff"\n')
    parts = ("suite.toml: cannot be read", "line 1 is not UTF-8", "a byte 0xff", "save it as UTF-8")
    assert all(part in said for part in parts)


def test_a_folder_is_no_suite(tmp_path):
    with pytest.raises(SuiteError) as error:
        load(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}: cannot be read (")


def test_a_missing_file_is_told_with_a_suggestion(tmp_path):
    write(tmp_path, SHORT, "quick.toml")
    with pytest.raises(SuiteError) as error:
        load(tmp_path / "quik.toml")
    assert str(error.value) == f"{tmp_path}/quik.toml: there is no such file; did you mean '{tmp_path}/quick.toml'?"
    with pytest.raises(SuiteError, match="there is no such file"):
        load(tmp_path / "no" / "such.toml")


def test_a_keras_file_stands_beside_the_suite_or_where_we_are(tmp_path, monkeypatch):
    for folder in ("suites", "here"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = write(tmp_path / "suites", D + '[model.m]\nkeras = "a.keras"\n' + C)
    with pytest.raises(SuiteError) as error:
        load(path)
    assert str(error.value) == (
        f"{path}:3: keras = 'a.keras': there is no such file in {tmp_path}/suites or {tmp_path}/here"
    )
    (tmp_path / "here/a.keras").write_bytes(b"")
    assert load(path).models[0].source == ModelFile(Path("a.keras"))
    (tmp_path / "suites/a.keras").write_bytes(b"")
    assert load(path).models[0].source == ModelFile(tmp_path / "suites/a.keras")


def test_a_keras_file_may_stand_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.keras").write_bytes(b"")
    path = write(tmp_path, D + '[model.m]\nkeras = "~/a.keras"\n' + C)
    assert load(path).models[0].source == ModelFile(tmp_path / "a.keras")


THEIRS = """
def net(*, input_shape, classes, units: Count = 8): ...
@attack(access="gradient")
def attack(classifier, images, labels, *, seeds, start=None, targets=None, eps): ...
@metric(names=("depth",))
def measure(result): ...
def mute(result): ...
@robust.corruption()
def fog(images, *, seeds, severity: Severity = 1): ...

raise RuntimeError("somebody ran this")
"""


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    (tmp_path / "their_code.py").write_text(THEIRS)
    monkeypatch.syspath_prepend(tmp_path)


FOREIGN = [
    (D + '[model.m]\npython = "their_code:net"\n' + C, "3: python = 'their_code:net'"),
    (D + '[model.m]\narchitecture = "their_code:net"\n' + C, "3: architecture = 'their_code:net'"),
    (DMC + 'attack = { name = "their_code:attack", eps = 1 }\n', "5: attack = 'their_code:attack'"),
    (DMC + 'corruption = "their_code:fog"\n', "5: corruption = 'their_code:fog'"),
    (DMC + 'metrics = ["their_code:measure"]\n', "5: metrics = 'their_code:measure'"),
]


@pytest.mark.parametrize(("text", "says"), FOREIGN)
def test_somebodys_code_is_refused_and_not_run(tmp_path, theirs, text, says):
    ending = " runs third-party code; if you trust this suite, set allow_code=True"
    assert refused(tmp_path, text) == f"suite.toml:{says}{ending}"
    assert "their_code" not in sys.modules


@pytest.mark.parametrize(("text", "says"), FOREIGN)
def test_somebodys_code_is_bound_where_it_is_trusted_and_still_not_run(tmp_path, theirs, text, says):
    suite = load(write(tmp_path, text), allow_code=True)
    calls = [suite.models[0].source.call, *suite.cases[0].perturbations, *suite.cases[0].metrics]
    assert any(call.name.startswith("their_code:") for call in calls)
    assert "their_code" not in sys.modules
    assert isinstance(suite.models[0].source, Python if "python" in says else Architecture)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (D + '[model.m]\npython = "lenet5"\n' + C,
         "3: python = 'lenet5': must be \"module:function\"; for built-in ones write architecture ="),
        (D + '[model.m]\npython = { name = "their_code:net", unit = 3 }\n' + C,
         "3: unit: their_code:net takes no 'unit'; did you mean 'units'?"),
        (D + '[model.m]\npython = "their_code:nets"\n' + C, "3: their_code defines no function 'nets'"),
        (D + '[model.m]\npython = "no_such_module:net"\n' + C, "3: no module named 'no_such_module' on the path"),
        (DMC + 'attack = { name = "their_code:attack", eps = -1 }\n', "5: attack.eps = -1: must be a number >= 0"),
        (DMC + 'metrics = ["their_code:measure"]\nexpect = { dept = ">= 1" }\n',
         "6: expect: this case has no metric 'dept'; did you mean 'depth'?"),
        (DMC + 'metrics = ["their_code:mute"]\n[case.c.expect]\ntop1 = ">= 1"\n',
         "5: their_code:mute is not declared: decorate it, as in @robust.metric(names=(...))"),
    ],
)  # fmt: skip
def test_mistakes_about_trusted_code_are_told_too(tmp_path, theirs, text, says):
    assert refused(tmp_path, text, allow_code=True) == f"suite.toml:{says}"


def test_a_list_of_eps_goes_upward_where_their_annotation_tells_nothing(tmp_path, theirs):
    text = DMC + 'attack = { name = "their_code:attack", eps = ["16/255", "8/255", 1] }\n'
    calls = load(write(tmp_path, text), allow_code=True).cases[0].perturbations
    assert [call.arguments["eps"] for call in calls] == [8 / 255, 16 / 255, 1.0]


def loads_or_refuses(path, text):
    path.write_bytes(text)
    try:
        assert isinstance(load(path), Suite)
    except SuiteError as error:
        assert str(error).startswith(str(path))


FUZZ = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
CHARACTERS = st.sampled_from("[]{}=\"'.,#\n\r\t 0a-é\\/:")


@FUZZ
@given(text=st.binary(max_size=60) | st.text(CHARACTERS, max_size=60).map(str.encode))
def test_any_file_is_a_suite_or_a_suite_error(tmp_path, text):
    loads_or_refuses(tmp_path / "any.toml", text)


@pytest.mark.slow
@FUZZ
@given(data=st.data())
def test_a_suite_with_a_line_changed_is_a_suite_or_a_suite_error(tmp_path, data):
    lines = QUICK.read_text().splitlines(keepends=True)
    here = data.draw(st.integers(0, len(lines) - 1))
    other = data.draw(
        st.sampled_from(["", lines[here] * 2, *lines, "[[case]]\n", "= 3\n", 'x = "\n', "model = 1\n", '"""\n'])
    )
    loads_or_refuses(tmp_path / "line.toml", "".join([*lines[:here], other, *lines[here + 1 :]]).encode())


@pytest.mark.slow
@FUZZ
@given(data=st.data())
def test_a_suite_with_a_character_changed_is_a_suite_or_a_suite_error(tmp_path, data):
    text = QUICK.read_text()
    here = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.just("") | CHARACTERS | st.just(text[here] * 2))
    loads_or_refuses(tmp_path / "character.toml", (text[:here] + other + text[here + 1 :]).encode())


VALUES = ['"x"', '"pgd"', '"8/255"', '"a:b"', "0", "-1", "1.5", "nan", "true", "[]", "{}", "[[]]", "[0, 0]", '["x", 1]',
          '{ name = "x" }', "{ name = 3 }", '{ name = "pgd", eps = [] }', "1979-05-27", "99999999999999999999", "1e400",
          '{ a = { b = [{ c = 1 }] } }', '["pgd", { name = [] }]', '"\\u0000:f"']  # fmt: skip


@pytest.mark.slow
@FUZZ
@given(data=st.data())
def test_a_suite_with_a_value_changed_is_a_suite_or_a_suite_error(tmp_path, data):
    lines = [line for line in COMPLETE.splitlines() if "keras" not in line and "stored" not in line]
    here = data.draw(st.sampled_from([i for i, line in enumerate(lines) if " = " in line]))
    lines[here] = f"{lines[here].split(' = ')[0]} = {data.draw(st.sampled_from(VALUES))}"
    loads_or_refuses(tmp_path / "value.toml", "\n".join(lines).encode())


def test_the_precision_of_the_search_is_the_models(tmp_path):
    text = 'data = "fashion_mini"\n[model.m]\narchitecture = "lenet5"\nattack_precision = "bfloat16"\n[case.c]\n'
    assert load(write(tmp_path, text)).models[0].attack_precision == "bfloat16"
