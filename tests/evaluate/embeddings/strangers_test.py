import dataclasses
import sys
import types

import numpy as np
import pytest
import soxr
import tensorflow as tf

from data.run.errors import UserError
from evaluate.embeddings import strangers
from evaluate.embeddings.embedding_cache import embeddings
from tests.evaluate.toy_runs import toy_clip, toy_encoder

CLIPS = {"eval": [(1.0, (0,)), (0.3, (1,)), (1.5, (2,))]}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return toy_encoder(tmp_path_factory.mktemp("strangers"), CLIPS)


class _Moments(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32)])
    def batch(self, waveform):
        moments = [tf.reduce_mean(tf.abs(waveform) ** k, -1) for k in (1, 2)]
        return {
            "embedding": tf.stack(moments, -1),
            "valid": tf.ones_like(moments[0]),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def frames(self, samples):
        return tf.abs(tf.signal.frame(samples, 800, 800))


def moments(clip):
    return np.mean([np.abs(clip), np.abs(clip) ** 2], axis=1)


def clips():
    for number, (seconds, labels) in enumerate(CLIPS["eval"]):
        yield toy_clip(number, seconds, labels)


def test_a_saved_model_is_a_row(toy, tmp_path):
    info, encoder = toy
    model = _Moments()
    tf.saved_model.save(model, str(tmp_path / "model"), model.batch)
    [row] = strangers.load([str(tmp_path / "model")], [], [encoder], info)
    assert (row.name, row.kind, row.encoder) == ("model", "saved_model", None)
    store = embeddings(row, info, ["eval"])
    wanted = [moments(clip) for clip in clips()]
    np.testing.assert_allclose(store.clips, wanted, atol=1e-4)
    # Kept with the encoder's; another rate is another representation.
    text = f"{tmp_path / 'model'}@8000"
    [low] = strangers.load([text], [], [encoder], info)
    assert low.identity != row.identity
    wanted = [moments(soxr.resample(clip, 16000, 8000)) for clip in clips()]
    store = embeddings(low, info, ["eval"])
    np.testing.assert_allclose(store.clips, wanted, atol=1e-4)


def test_frames_of_one_clip_are_averaged(toy, tmp_path):
    info, encoder = toy
    model = _Moments()
    tf.saved_model.save(model, str(tmp_path / "frames"), model.frames)
    [row] = strangers.load([str(tmp_path / "frames")], [], [encoder], info)
    store = embeddings(row, info, ["eval"])
    clip = next(clips())
    wanted = np.abs(clip[:16000].reshape(-1, 800)).mean(axis=0)
    np.testing.assert_allclose(store.clips[0], wanted, atol=1e-4)


def test_a_hear_module_is_a_row(toy, tmp_path, monkeypatch):
    info, encoder = toy
    module = types.ModuleType("toy_hear")
    source = tmp_path / "toy_hear.py"
    source.write_text("# A module.")
    module.__file__ = str(source)

    @dataclasses.dataclass
    class Model:
        factor: float
        sample_rate = 8000
        scene_embedding_size = 2

    module.load_model = lambda path="": Model(float(path or 1))
    module.get_scene_embeddings = lambda audio, model: tf.constant(
        [model.factor * moments(clip) for clip in audio.numpy()]
    )
    monkeypatch.setitem(sys.modules, "toy_hear", module)
    rows = strangers.load([], ["toy_hear:3", "toy_hear"], [encoder], info)
    assert rows[0].identity != rows[1].identity
    low = [moments(soxr.resample(clip, 16000, 8000)) for clip in clips()]
    for row, factor in zip(rows, (3, 1), strict=True):
        store = embeddings(row, info, ["eval"])
        np.testing.assert_allclose(store.clips, np.multiply(factor, low), 2e-3)


def test_what_is_no_model_is_told_in_one_line(toy, tmp_path):
    info, encoder = toy
    with pytest.raises(UserError, match="has no saved_model.pb"):
        strangers.load([str(tmp_path)], [], [encoder], info)
    with pytest.raises(UserError, match="no importable module of the HEAR"):
        strangers.load([], ["no_such_module"], [encoder], info)
    with pytest.raises(UserError, match="no importable module of the HEAR"):
        strangers.load([], ["json"], [encoder], info)
