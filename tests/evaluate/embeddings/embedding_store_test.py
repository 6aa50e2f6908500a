import numpy as np
import pytest

from data.run.errors import UserError
from evaluate.embeddings.embedding_store import EmbeddingStore


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


def test_refuses_another_version(tmp_path):
    np.savez(tmp_path / "store.npz", version=0)
    with pytest.raises(UserError, match="store.npz is damaged: delete it"):
        EmbeddingStore.load(tmp_path / "store.npz")
