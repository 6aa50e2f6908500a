import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras  # noqa: E402
import pytest  # noqa: E402

from tests.agreement import (  # noqa: E402, F401
    agrees,
    pytest_terminal_summary,
)


@pytest.fixture(autouse=True)
def same_start():
    """Each test starts from one seed and leaves the policy as it was."""
    keras.utils.set_random_seed(0)
    yield
    keras.mixed_precision.set_global_policy("float32")
