"""What every command imports: done once, before the processes of the campaign are forked."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras  # noqa: F401
import tensorflow as tf

import robust.api.cli
import robust.engine.session
import robust.report.page  # noqa: F401

tf.get_logger().setLevel("ERROR")

# what a process reads once and keeps: the code that its keys hold, and the scripts of the page
from robust.core import store  # noqa: E402
from robust.report import html  # noqa: E402

store.code("robust.engine.session", "robust.training.fit", "robust.datasets.arrays")
html.assets()
