"""The probability 0 as a logit: attacks need a finite one, and a likelihood must not treat it as a small one."""

import math

import numpy as np

LEAST = float(np.finfo(np.float32).tiny)
"""The substitute for a probability of 0 where its logarithm is taken."""

NEVER = float(np.float32(math.log(LEAST)))
"""The logit of a class to which a model that gives probabilities has given 0."""
