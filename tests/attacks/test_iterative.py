import numpy as np
import tensorflow as tf

from robust.attacks.iterative import StepOutput, best


def test_the_best_point_its_loss_and_its_gradient_are_those_of_the_higher_loss():
    old, new = tf.zeros((2, 1, 1, 1)), tf.ones((2, 1, 1, 1))
    slots = {"point": new, "best": old, "best_gradient": 2 * old, "best_loss": tf.constant([0.0, 5.0])}
    output = StepOutput(losses=tf.constant([1.0, 1.0]), gradients=3 * new, logits=tf.zeros((2, 2)))
    found = {name: np.ravel(value).tolist() for name, value in best(slots, output).items()}
    assert found == {"best": [1, 0], "best_gradient": [3, 0], "best_loss": [1, 5]}
    del slots["best_gradient"]
    assert set(best(slots, output)) == {"best", "best_loss"}
