"""The exam of every attack: each export of the catalogue under each norm, and a few classes of Foolbox."""

import typing
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust.core import registry, signature
from robust.core.declared import of_attack
from robust.core.errors import ContractError

EPS = {"linf": 0.06, "l2": 0.3, "l1": 0.7}
WIDER = {"score": 1.5, "none": 5}  # what uses less of the model needs a larger ball
FOOLBOX = [
    {"name": "foolbox:LinfFastGradientAttack", "eps": EPS["linf"]},
    {"name": "foolbox:LinfDeepFoolAttack", "eps": EPS["linf"], "steps": 3},
    {
        "name": "foolbox:L2CarliniWagnerAttack", "eps": EPS["l2"],
        "steps": 12, "binary_search_steps": 1, "stepsize": 0.05, "initial_const": 10.0,
    },
    {"name": "foolbox:LinfAdditiveUniformNoiseAttack", "eps": 0.5, "norm": "linf"},
]  # fmt: skip
N = 13  # a batch of 8 and a ragged one


def _own(**more):
    for name in registry.names("attacks"):
        about = of_attack(name)
        if about.access == "transfer":  # runs another attack on another model: see tests/attacks/test_transfer.py
            continue
        parameters = {p.name: p for p in signature.signature("attacks", name)}
        for norm in typing.get_args(parameters["norm"].annotation):
            wanted = {"norm": norm, "steps": 10, **about.test_arguments, **more}
            eps = EPS[norm] * WIDER.get(about.access, 1)
            yield {"name": name, "eps": eps, **{k: v for k, v in wanted.items() if k in parameters}}


def _id(table):
    return f"{table['name']}-{table.get('norm', 'own')}"


def _other_norms_slow(tables):
    """The same attacks; by default each runs under its first norm."""
    names = [table["name"] for table in tables]
    return [pytest.param(t, marks=[pytest.mark.slow] * (t["name"] in names[:i])) for i, t in enumerate(tables)]


OWN = list(_own())
RANDOM = [t for t in _own(random_start=True) if "random_start" in t or of_attack(t["name"]).random] + [FOOLBOX[-1]]
NATIVE = [table for table in OWN if of_attack(table["name"]).independent]
every = pytest.mark.parametrize("call", OWN + FOOLBOX, indirect=True, ids=_id)
under_one_norm = pytest.mark.parametrize("call", _other_norms_slow(OWN + FOOLBOX), indirect=True, ids=_id)
ours = pytest.mark.parametrize("call", NATIVE, indirect=True, ids=_id)
under_one_norm_of_ours = pytest.mark.parametrize("call", _other_norms_slow(NATIVE), indirect=True, ids=_id)


@pytest.fixture(scope="module")
def call(request):
    return signature.bind("attacks", request.param)


@pytest.fixture(scope="module")
def data(problem):
    return problem(N)


@pytest.fixture(scope="module")
def attack(classifier, data):
    """`attack(call, rows, eps=..., targets=...)`: the attack on these rows, kept for those who ask again."""
    known = {}

    def run(call, rows=range(N), **changes):
        key = repr((call.key(), tuple(rows), changes))
        if key not in known:
            known[key] = _fresh(call, classifier, data, np.array(rows), **changes)
        return known[key]

    return run


def _fresh(call, classifier, data, rows=slice(None), targets=None, seeds=None, **changes):
    call = signature.Call(call.kind, call.name, {**call.arguments, **changes})
    aims = None if targets is None else targets[rows]
    seeds = (data.seeds if seeds is None else seeds)[rows]
    return call(classifier, data.images[rows], data.labels[rows], seeds=seeds, targets=aims)


@every
def test_stays_in_the_ball_and_in_the_box(call, attack, data):
    images = attack(call).images
    change = (images.astype(np.float64) - data.images).reshape(N, -1)
    norm = call.arguments["norm"]
    sizes = np.linalg.norm(change, ord={"linf": np.inf, "l2": 2, "l1": 1}[norm], axis=1)
    assert sizes.max() <= call.arguments["eps"] * (1 + 1e-6) + (1e-6 if norm == "l1" else 1e-7)  # 36 roundings
    assert sizes.max() >= call.arguments["eps"] * 0.1  # and it does move
    assert images.min() >= 0 and images.max() <= 1


@every
def test_shapes_and_types_are_those_of_the_contract(call, attack, data):
    found = attack(call)
    assert (found.images.shape, found.images.dtype) == (data.images.shape, np.float32)
    assert (found.by.shape, found.n_forward.dtype, found.n_backward.dtype) == ((N,), np.int32, np.int32)
    assert found.n_forward.shape == found.n_backward.shape == found.trace.shape[:1] == (N,)
    assert "" in found.by and {*found.by} - {""} <= {*(of_attack(call.name).parts or [call.name])}


@every
def test_eps_zero_is_the_identity(call, attack, classifier, data):
    found = attack(call, eps=0.0)
    assert found.images.tobytes() == data.images.tobytes()
    assert np.array_equal(found.by != "", classifier.logits(data.images).argmax(axis=1) != data.labels)


@every
def test_the_same_seeds_give_the_same_bytes(call, attack, classifier, data):
    first, again = attack(call), _fresh(call, classifier, data)
    for part in ("images", "n_forward", "n_backward", "trace"):
        assert getattr(first, part).tobytes() == getattr(again, part).tobytes()
    assert np.array_equal(first.by, again.by)


@pytest.mark.parametrize("call", RANDOM, indirect=True, ids=_id)
def test_other_seeds_give_other_images_where_it_is_random(call, attack, classifier, data):
    first, other = attack(call), _fresh(call, classifier, data, seeds=data.seeds + 1)
    assert (first.images != other.images).any(axis=(1, 2, 3)).mean() > 0.7  # some end in the same corner


@ours
@settings(max_examples=5, deadline=None, derandomize=True)
@given(rows=st.permutations(range(N)).flatmap(lambda p: st.integers(1, N).map(lambda n: p[:n])))
def test_any_order_and_any_company_gives_the_same_bytes(rows_apart, call, attack, classifier, data, rows):
    whole, part = attack(call), _fresh(call, classifier, data, rows)
    for name in ("images", "n_forward", "n_backward"):
        assert getattr(part, name).tobytes() == getattr(whole, name)[rows].tobytes()
    assert np.array_equal(part.by, whole.by[rows])
    assert np.array_equal(part.trace, whole.trace[rows], equal_nan=True)


@every
def test_a_batch_of_one_works(call, attack, classifier, data):
    alone = _fresh(call, classifier, data, [N - 1])
    assert alone.images.shape == (1, *data.images.shape[1:])
    assert alone.by[0] == attack(call).by[N - 1]


@under_one_norm
def test_nothing_changes_in_the_model_and_in_what_is_given(call, classifier, data):
    variables = classifier.model.variables
    assert len(variables) == 9  # convolution 2, normalisation 4, head 2, the state of the dropout 1
    before = [v.numpy().tobytes() for v in variables] + [part.tobytes() for part in data]
    _fresh(call, classifier, data)
    assert before == [v.numpy().tobytes() for v in variables] + [part.tobytes() for part in data]


@every
def test_an_image_is_flagged_where_it_fools_and_nowhere_else(call, attack, classifier, data):
    found = attack(call)
    fools = classifier.logits(found.images).argmax(axis=1) != data.labels
    assert np.array_equal(found.by != "", fools)
    assert 0 < fools.sum() < N  # or the test says little


@under_one_norm
def test_targets_are_reached_where_it_says_so(call, attack, classifier, data):
    targets = (data.labels + 1) % 3
    if call.name.startswith("foolbox:") and of_attack(call.name).one_step:
        with pytest.raises(ContractError, match="foolbox:LinfFastGradientAttack refused: unsupported criterion"):
            attack(call, targets=targets)
        return
    found = attack(call, targets=targets, eps=3 * call.arguments["eps"])
    reached = classifier.logits(found.images).argmax(axis=1) == targets
    assert np.array_equal(found.by != "", reached)
    if of_attack(call.name).access != "none":
        assert reached.sum() > N / 2


@pytest.fixture(scope="module")
def counted(build):
    """The network behind a layer that counts each image that passes, forward and backward."""
    import keras
    import tensorflow as tf

    from robust.models.classifier import Classifier

    tally = {"n_forward": 0, "n_backward": 0}

    def add(way, images):
        def count(n):
            tally[way] += int(n)
            return n

        with tf.control_dependencies([tf.numpy_function(count, [tf.shape(images)[0]], tf.int32)]):
            return tf.identity(images)

    @tf.custom_gradient
    def watched(images):
        return add("n_forward", images), lambda upstream: add("n_backward", upstream)

    class Watch(keras.layers.Layer):
        def call(self, images):
            return watched(images)

        def compute_output_spec(self, images):
            return keras.KerasTensor(images.shape, images.dtype)

    inputs = keras.Input((6, 6, 1))
    return Classifier(keras.Model(inputs, build()(Watch()(inputs))), 3, batch_size=8), tally


@under_one_norm
def test_every_pass_is_counted(call, counted, data):
    classifier, tally = counted
    ours, theirs = (classifier.n_forward, classifier.n_backward), dict(tally)
    found = _fresh(call, classifier, data)
    forward, backward = classifier.n_forward - ours[0], classifier.n_backward - ours[1]
    assert (forward, backward) == (tally["n_forward"] - theirs["n_forward"], tally["n_backward"] - theirs["n_backward"])
    assert 0 < found.n_forward.sum() <= forward and found.n_backward.sum() <= backward
    assert (found.n_forward >= 1).all() and (found.n_backward <= found.n_forward).all()
    assert (found.n_backward.sum() > 0) == (of_attack(call.name).access == "gradient")


@under_one_norm
def test_nothing_is_traced_twice(call, counted, data):
    classifier, _ = counted
    for n in (1, 9):
        _fresh(call, classifier, data, slice(0, n))
    if not (call.name.startswith("foolbox:") and of_attack(call.name).one_step):  # it takes no targets
        _fresh(call, classifier, data, slice(0, 5), eps=0.01, targets=(data.labels + 1) % 3)
    classifier.logits(data.images[:5])
    assert classifier.graphs and set(classifier.graphs.values()) == {1}


@under_one_norm_of_ours
def test_a_larger_eps_never_loses_what_has_fallen(call, classifier, problem):
    from robust.datasets.dataset import from_arrays
    from robust.engine.perturb import outcomes
    from robust.suite import Case

    data, eps = problem(40, seed=3), call.arguments["eps"]
    calls = [signature.Call("attacks", call.name, {**call.arguments, "eps": eps * f}) for f in (0.3, 0.6, 1.0, 1.5)]
    results = [
        o.result for o in outcomes(classifier, Case("x", tuple(calls)), from_arrays(data.images, data.labels, 3), 0)
    ]
    fallen = [result.predicted != result.labels for result in results]
    for smaller, larger in pairwise(fallen):
        assert (larger >= smaller).all()
    assert fallen[0].sum() < fallen[1].sum() < fallen[-1].sum()


@pytest.fixture(scope="module")
def double(build):
    """A model whose logits have another type than its images."""
    import keras

    from robust.models.classifier import Classifier

    single = build()
    wider = keras.layers.Activation("linear", dtype="float64")(single.outputs[0])
    return Classifier(keras.Model(single.inputs, wider, name="double"), 3, batch_size=8)


@under_one_norm
def test_logits_in_double_precision_fall_as_those_in_single_do(call, double, attack, data):
    found = _fresh(call, double, data)
    assert double.logits(data.images).dtype == np.float64 and found.images.dtype == np.float32
    wrong = double.logits(found.images).argmax(axis=1) != data.labels
    assert (wrong[found.by != ""]).all() and abs((found.by != "").sum() - (attack(call).by != "").sum()) <= 1
