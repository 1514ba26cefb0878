"""What every command imports: done once, before the processes of the campaign are forked."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras  # noqa: F401, E402
import tensorflow as tf  # noqa: E402

import robust.api.cli  # noqa: F401, E402
import robust.engine.session  # noqa: F401, E402
import robust.report.page  # noqa: F401, E402

tf.get_logger().setLevel("ERROR")
