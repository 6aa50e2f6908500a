import keras
import pytest

from data.run import saved_network
from data.run.errors import UserError
from models.heads.linear_classifier import LinearClassifier


def test_only_a_whole_network_of_that_kind_is_loaded(tmp_path):
    file = tmp_path / "a.keras"
    LinearClassifier(3, 2).save(file)
    assert saved_network.load(file, LinearClassifier).count_params() == 8
    with pytest.raises(
        UserError, match="class LinearClassifier, not Sequential"
    ):
        saved_network.load(file, keras.Sequential)
    whole = file.read_bytes()
    for damaged in (b"", b"x", whole[:-30], whole[:200] + 30 * b"x"):
        file.write_bytes(damaged)
        with pytest.raises(UserError, match="a.keras cannot be loaded") as told:
            saved_network.load(file, LinearClassifier)
        assert "\n" not in str(told.value)
    with pytest.raises(UserError, match="gone.keras cannot be loaded"):
        saved_network.load(tmp_path / "gone.keras", LinearClassifier)
