import os

import pytest
from absl import logging

from data.run import environment
from tests.agreement import (  # noqa: F401
    agrees,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from tests.skips import pytest_tell_skips  # noqa: F401

# Programs that tests start find this as if the shell had said it.
environment.prepare()
environment.import_less()
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture(autouse=True)
def same_start():
    """Each test starts from one seed, one policy and one level of the log."""
    # Here: the process that shares the tests out needs no TensorFlow.
    import keras

    keras.utils.set_random_seed(0)
    # What saves with the newest TensorFlow leaves it raised.
    logging.get_absl_logger().setLevel("NOTSET")
    yield
    keras.mixed_precision.set_global_policy("float32")
