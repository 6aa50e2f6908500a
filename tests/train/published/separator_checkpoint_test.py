import numpy as np
import pytest

from data.run.errors import UserError
from tests.train.loop.checkpoint_files import files_of, write_checkpoint
from train.published.separator_checkpoint import find_prefix, read_network

KERNEL = "conv_encoder/dense/kernel"
ARRAYS = {
    KERNEL: np.arange(6, dtype=np.float32).reshape(2, 3),
    # The last by name: what comes late in the file must be read too.
    "mix_weights/dense/kernel": np.random.default_rng(0)
    .normal(size=(70, 90))
    .astype(np.float32),
}


def test_a_checkpoint_is_found_by_any_of_its_names(tmp_path):
    prefix = write_checkpoint(tmp_path / "a.b" / "model.ckpt-5", ARRAYS)
    meta = prefix.with_name("model.ckpt-5.meta")
    for name in (prefix, meta, *files_of(prefix), prefix.parent):
        assert find_prefix(str(name)) == prefix


def test_of_several_the_one_is_taken_that_the_folder_names(tmp_path):
    for step in (5, 30):
        write_checkpoint(tmp_path / f"model.ckpt-{step}", ARRAYS)
    with pytest.raises(
        UserError, match="has model.ckpt-30, model.ckpt-5: name one"
    ):
        find_prefix(str(tmp_path))
    # As training wrote it, in another place.
    state = tmp_path / "checkpoint"
    state.write_text('model_checkpoint_path: "/far/away/model.ckpt-5"\n')
    assert find_prefix(str(tmp_path)) == tmp_path / "model.ckpt-5"
    # One that was not copied.
    state.write_text('model_checkpoint_path: "model.ckpt-99"\n')
    with pytest.raises(UserError, match="name one"):
        find_prefix(str(tmp_path))
    assert find_prefix(str(tmp_path / "model.ckpt-30")).name == "model.ckpt-30"


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match="has no checkpoint .no .index file.:"):
        find_prefix(str(tmp_path))
    write_checkpoint(tmp_path / "model.ckpt-5", ARRAYS)
    with pytest.raises(UserError, match="ckpt-6: .* has model.ckpt-5: name"):
        find_prefix(str(tmp_path / "model.ckpt-6"))
    with pytest.raises(UserError, match="m.ckpt: .*gone has no checkpoint"):
        find_prefix(str(tmp_path / "gone" / "m.ckpt"))


@pytest.mark.parametrize("number", [0, 1], ids=["index", "data"])
def test_damage_is_told_in_one_line(number, tmp_path):
    prefix = write_checkpoint(tmp_path / "model.ckpt", ARRAYS)
    file = files_of(prefix)[number]
    whole = file.read_bytes()
    # Behind it are the slots, which nobody reads.
    middle = len(whole) // 4
    flipped = bytearray(whole)
    flipped[middle] ^= 255
    for content in (b"", whole[:middle], flipped, None):
        file.unlink()
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(UserError, match="cut short.*again") as caught:
            read_network(prefix)
        assert len(str(caught.value).splitlines()) == 1
        if content is None:
            file.write_bytes(whole)
    # The network is read, and only that.
    found = read_network(prefix)
    assert list(found) == sorted(ARRAYS)
    for name, value in ARRAYS.items():
        np.testing.assert_array_equal(found[name], value)
