"""What of a case is looked at again."""

from dataclasses import replace

import numpy as np
import pytest

from robust.attacks import targets
from robust.attacks.diagnostics.case import IMAGES, attack_run
from robust.core.signature import bind
from robust.models.classifier import Classifier
from robust.results.evaluation import EvaluationResult


@pytest.mark.parametrize("n", [100, 8])
def test_with_every_pair_of_classes_it_is_different_images_with_a_target_each(affine, n):
    classes, labels = tuple("abcde"), np.arange(n) % 5
    rows, sent_to = targets.pairs(labels, 5)
    ids, images = np.arange(n).astype(str), np.zeros((n, 1, 4, 1), np.float32)
    clean = EvaluationResult(classes, ids[rows], labels[rows], np.eye(5)[labels[rows]], targets=sent_to)
    result = replace(clean, clean=clean, by=np.full(len(rows), "", object))
    call = bind("attacks", {"name": "pgd", "eps": 0.1})
    known, trace = dict(zip(ids.tolist(), images, strict=True)), np.empty((len(rows), 0))
    run = attack_run(Classifier(affine(np.zeros((4, 5))), 5), call, result, trace, known, 0, "case")
    assert len(run.task.seeds) == len(set(run.task.seeds.tolist())) == min(n, IMAGES)
    assert (run.task.targets != run.task.labels).all()
    pairs = set(zip(run.task.labels.tolist(), run.task.targets.tolist(), strict=True))
    assert len(pairs) == (20 if n == 100 else 8)
