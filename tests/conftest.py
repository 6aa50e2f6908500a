import os

import pytest

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
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture(autouse=True)
def same_start():
    """Each test starts from one seed and leaves the policy as it was."""
    # Here: the process that shares the tests out needs no TensorFlow.
    import keras

    keras.utils.set_random_seed(0)
    yield
    keras.mixed_precision.set_global_policy("float32")
