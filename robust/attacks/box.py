"""Exact steps in the box [0, 1]: onto an L1 ball, along the steepest ascent in L1, onto a hyperplane.

All of it is graph-pure TensorFlow. Shapes: images [B, H, W, C]; internally, one row of n pixels per image.
"""

import tensorflow as tf

Scalar = float | tf.Tensor

_HALVINGS = 30  # a threshold between 0 and 1 is then known to the last bit of single precision


def onto_l1_ball(points: tf.Tensor, centres: tf.Tensor, eps: Scalar) -> tf.Tensor:
    """The nearest points (in L2) of {z in [0, 1]: ||z - centre||_1 <= eps}.

    With d = point - centre the change is sign(d) min(max(|d| - t, 0), room), where t >= 0 is the least
    threshold that stays in the ball, found by bisection.

    Args:
        points: [B, H, W, C], any values. centres: [B, H, W, C] in [0, 1].
        eps: radius of the ball, one for all or [B, 1, 1, 1].

    Source: Croce & Hein, Mind the box: l1-APGD for sparse adversarial attacks, ICML 2021, proposition 2.1.
    """
    change, at = _rows(points - centres), _rows(centres)
    size, room, eps = tf.abs(change), _room(at, change), _column(eps, at)

    def left(threshold: tf.Tensor) -> tf.Tensor:
        return tf.minimum(tf.maximum(size - threshold, 0), room)

    def fits(threshold: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(left(threshold), axis=1, keepdims=True) <= eps

    high = tf.reduce_max(size, axis=1, keepdims=True)
    low = tf.zeros_like(high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = fits(middle)
        low, high = tf.where(enough, low, middle), tf.where(enough, middle, high)
    kept = left(tf.where(fits(tf.zeros_like(high)), tf.zeros_like(high), high))
    return tf.clip_by_value(centres + tf.reshape(tf.sign(change) * kept, tf.shape(centres)), 0, 1)


def steepest_l1(points: tf.Tensor, gradients: tf.Tensor, size: Scalar) -> tf.Tensor:
    """The change d that maximises g . d under ||d||_1 <= size and point + d in [0, 1].

    It moves one pixel after the other to the face of the box, those with the largest |g| first.
    """
    slopes, at = _rows(gradients), _rows(points)
    room = _room(at, slopes)
    moved = fill(tf.abs(slopes), room, _column(size, at), tf.ones_like(room))
    return tf.reshape(tf.sign(slopes) * moved, tf.shape(points))


def onto_plane(points: tf.Tensor, normals: tf.Tensor, gaps: tf.Tensor, norm: str) -> tf.Tensor:
    """The change d, least in the norm, with normal . d = gap and point + d in [0, 1].

    Where the box does not reach the plane, each pixel goes as far towards it as the box allows.

    Args:
        points, normals: [B, H, W, C]. gaps: [B].
        norm: "linf": d_i = min(t, room_i); "l2": d_i = |w_i| min(t, room_i / |w_i|), both at the level t at
            which the plane is reached; "l1": the pixels with the largest |w_i| first.

    Source: Croce & Hein, Minimally distorted adversarial examples with a fast adaptive boundary attack, ICML 2020.
    """
    at, normal, gap = _rows(points), _rows(normals), tf.reshape(gaps, [-1, 1])
    scale = tf.reduce_max(tf.abs(normal), axis=1, keepdims=True)  # squares of small slopes would underflow
    normal, gap = tf.math.divide_no_nan(normal, scale) * tf.sign(gap), tf.abs(tf.math.divide_no_nan(gap, scale))
    slope, room = tf.abs(normal), _room(at, normal)
    if norm == "l1":
        moved = fill(slope, room, gap, slope)
    elif norm == "linf":
        moved = tf.minimum(level(slope, room, gap), room)
    else:
        caps = tf.math.divide_no_nan(room, slope)
        moved = tf.minimum(slope * level(slope**2, caps, gap), room)
    return tf.reshape(tf.sign(normal) * moved, tf.shape(points))


def fill(weights: tf.Tensor, room: tf.Tensor, budget: tf.Tensor, price: tf.Tensor) -> tf.Tensor:
    """How much of its room each pixel gets, at its price, by descending weight, until the budget is spent."""
    order = tf.argsort(weights, direction="DESCENDING", stable=True)
    cost = tf.gather(room * price, order, batch_dims=1)
    before = tf.cumsum(cost, axis=1, exclusive=True)
    share = tf.clip_by_value(tf.math.divide_no_nan(budget - before, cost), 0, 1)
    return tf.gather(share, tf.argsort(order), batch_dims=1) * room


def level(slopes: tf.Tensor, caps: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """The t [B, 1] with sum_i slope_i min(t, cap_i) = wanted; the largest cap where no t reaches that."""
    order = tf.argsort(caps)
    slopes, caps = (tf.gather(v, order, batch_dims=1) for v in (slopes, caps))
    before = tf.cumsum(slopes * caps, axis=1, exclusive=True)  # from those whose cap is reached
    still = tf.cumsum(slopes, axis=1, reverse=True)
    place = tf.reduce_sum(tf.cast(before + still * caps < wanted, tf.int32), axis=1, keepdims=True)
    inside = tf.minimum(place, tf.shape(caps)[1] - 1)
    t = tf.math.divide_no_nan(wanted - tf.gather(before, inside, batch_dims=1), tf.gather(still, inside, batch_dims=1))
    return tf.where(place == inside, t, caps[:, -1:])


def _room(at: tf.Tensor, towards: tf.Tensor) -> tf.Tensor:
    """How far each pixel can go before it reaches the face of the box."""
    return tf.where(towards > 0, 1 - at, at) * tf.abs(tf.sign(towards))


def _column(number: Scalar, like: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tf.convert_to_tensor(number, like.dtype), [-1, 1])


def _rows(images: tf.Tensor) -> tf.Tensor:
    return tf.reshape(images, [tf.shape(images)[0], -1])
