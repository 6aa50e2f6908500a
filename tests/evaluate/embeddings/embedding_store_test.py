import numpy as np
import pytest

from data.run.errors import UserError
from evaluate.embeddings.embedding_store import ClipStore, EmbeddingStore


def store_of(counts, first=0):
    windows = np.arange(2.0 * sum(counts), dtype="f4").reshape(-1, 2)
    return EmbeddingStore(
        windows=windows + first,
        window_clip=np.repeat(np.arange(len(counts)), np.array(counts, int)),
        clip_ids=tuple(f"clip {first + i} ü" for i in range(len(counts))),
        labels=np.eye(len(counts), 3, dtype=np.uint8),
        class_names=("a", "b", "c,d"),
    )


def test_clips_are_means_over_their_windows():
    # Windows (0, 1), (2, 3), (4, 5) | (6, 7).
    np.testing.assert_array_equal(store_of([3, 1]).clips, [[2, 3], [6, 7]])


def test_saved_and_loaded_it_is_the_same(tmp_path):
    store = store_of([3, 1, 2])
    store.save(tmp_path / "store.npz")
    loaded = EmbeddingStore.load(tmp_path / "store.npz")
    for name in ("windows", "window_clip", "labels"):
        array = getattr(loaded, name)
        np.testing.assert_array_equal(array, getattr(store, name))
        assert array.dtype == getattr(store, name).dtype
    assert loaded.clip_ids == store.clip_ids
    assert loaded.class_names == store.class_names
    # For readers that have no EmbeddingStore.
    with np.load(tmp_path / "store.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["clips"], store.clips)


def test_no_clips_are_kept_as_none(tmp_path):
    store_of([]).save(tmp_path / "store.npz")
    loaded = EmbeddingStore.load(tmp_path / "store.npz")
    assert loaded.clips.shape == (0, 2)
    both = EmbeddingStore.concatenate([store_of([1, 2]), loaded])
    np.testing.assert_array_equal(both.clips, store_of([1, 2]).clips)
    assert both.clip_ids == store_of([1, 2]).clip_ids


def test_concatenation_keeps_windows_with_their_clips():
    first, second = store_of([2, 1]), store_of([1, 3], first=100)
    both = EmbeddingStore.concatenate([first, second])
    np.testing.assert_array_equal(both.window_clip, [0, 0, 1, 2, 3, 3, 3])
    np.testing.assert_array_equal(
        both.clips, np.concatenate([first.clips, second.clips])
    )
    assert both.clip_ids == first.clip_ids + second.clip_ids
    np.testing.assert_array_equal(both.labels[2:], second.labels)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"windows": np.zeros(6)},
        {"windows": np.zeros((5, 2))},
        {"window_clip": np.array([0, 0, 2, 2, 1, 1])},
        {"window_clip": np.array([0, 0, 0, 2, 2, 2])},
        {"window_clip": np.array([0, 0, 0, 1, 1, 1])},
        {"window_clip": np.zeros((6, 1), int)},
        {"labels": np.zeros((3, 2), "u1")},
        {"clip_ids": np.array(["one"])},
        {"class_names": np.array([{}])},
    ],
)
def test_refuses_what_it_did_not_write(tmp_path, change):
    file = tmp_path / "store.npz"
    store_of([3, 1, 2]).save(file)
    with np.load(file) as arrays:
        np.savez(file, **(dict(arrays) | change))
    with pytest.raises(UserError, match="store.npz is damaged: delete it"):
        EmbeddingStore.load(file)


def test_refuses_other_files_and_parts(tmp_path):
    file = tmp_path / "store.npz"
    store_of([3, 1, 2]).save(file)
    whole = file.read_bytes()
    np.save(tmp_path / "array.npy", np.zeros(3))
    array = (tmp_path / "array.npy").read_bytes()
    for content in (b"", b"x", whole[:-1], whole[:100], array):
        file.write_bytes(content)
        with pytest.raises(UserError, match="store.npz is damaged: delete it"):
            EmbeddingStore.load(file)


def test_clips_are_read_without_their_windows(tmp_path):
    first, second = store_of([2, 1]), store_of([1, 3], first=100)
    loaded = []
    for number, store in enumerate((first, second)):
        file = tmp_path / f"{number}.npz"
        store.save(file)
        with np.load(file) as arrays:
            # Whatever the windows are.
            np.savez(file, **(dict(arrays) | {"windows": np.array([{}])}))
        loaded.append(ClipStore.load(file))
    both = ClipStore.concatenate(loaded)
    whole = EmbeddingStore.concatenate([first, second])
    np.testing.assert_array_equal(both.clips, whole.clips)
    np.testing.assert_array_equal(both.labels, whole.labels)
    assert both.clip_ids == whole.clip_ids
    assert both.class_names == whole.class_names


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"clips": np.zeros((2, 2), "f4")},
        {"clips": np.zeros(3, "f4")},
        {"labels": np.zeros((3, 2), "u1")},
    ],
)
def test_refuses_clips_that_do_not_go_together(tmp_path, change):
    file = tmp_path / "store.npz"
    store_of([3, 1, 2]).save(file)
    with np.load(file) as arrays:
        np.savez(file, **(dict(arrays) | change))
    with pytest.raises(UserError, match="store.npz is damaged: delete it"):
        ClipStore.load(file)
