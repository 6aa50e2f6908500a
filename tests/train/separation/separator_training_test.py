import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.audio import codec
from data.run import processor_files, run_directory
from data.run.errors import UserError
from data.shards import example_schema
from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex
from data.shards.record_reader import FAILED, POSITION
from models.losses.mixit import mixit_loss
from models.separation.separator import Separator
from tests.train.small_shards import RATE_HZ, noise_clips, write_shards
from train.separation import channel_writer, quality, separator_training
from train.separation.learner import SeparationLearner
from train.separation.mixture_pipeline import batches_of_pairs
from train.separation.separate_config import SeparateConfig
from train.separation.separation_config import SeparationConfig

SEPARATE = SeparateConfig(batch_size=4)
SMALL = {
    "basis": "stft",
    "bottleneck": 8,
    "conv_channels": 12,
    "num_dilations": 2,
    "num_repeats": 1,
}


def _tones(count, samples=8000):
    """Clips of a low and a high tone: stems (2, T), easy to tell apart."""
    rng = np.random.default_rng(0)
    time = np.arange(samples) / RATE_HZ
    stems = []
    for _ in range(count):
        pitch = [rng.uniform(200, 800), rng.uniform(3000, 6000)]
        stems.append(
            np.stack([0.3 * np.sin(2 * np.pi * p * time) for p in pitch])
        )
    return stems


def _config(**changes):
    return SeparationConfig(
        **{
            "steps": 4,
            "keep_steps": ("N=0", "mid=2", "4"),
            "batch_size": 2,
            "crop_seconds": 0.25,
            "learning_rate": 1e-2,
            "checkpoint_every": 2,
            "eval_splits": ("train",),
            **SMALL,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run: its configuration, shards and folder."""
    stems = _tones(6)
    info = write_shards(
        tmp_path_factory.mktemp("shards"),
        [s.sum(axis=0) for s in stems],
        stems=stems,
    )
    config = _config()
    folder = run_directory.start(
        str(tmp_path_factory.mktemp("run")), processor_files.STAGE, config
    )
    separator_training.train_separator(config, info, folder)
    return config, info, folder


def test_named_steps_are_kept_as_processors(run):
    config, _, folder = run
    assert config.processors() == {"N": 0, "mid": 2, "step4": 4}
    files = processor_files.find(str(folder))
    assert set(files) == {"N", "mid", "step4"}
    x = np.random.default_rng(1).normal(size=(2, 3000)).astype("f4")
    outputs = {n: keras.saving.load_model(f)(x) for n, f in files.items()}
    # They differ, and each splits the mixture.
    assert np.abs(outputs["N"] - outputs["mid"]).max() > 1e-4
    assert np.abs(outputs["mid"] - outputs["step4"]).max() > 1e-4
    for output in outputs.values():
        np.testing.assert_allclose(np.sum(output, axis=1), x, atol=1e-5)


def test_step_0_is_the_untrained_network(run):
    config, _, folder = run
    keras.utils.set_random_seed(config.seed)
    untrained = Separator(**SMALL)
    kept = keras.saving.load_model(processor_files.find(folder)["N"])
    for a, b in zip(untrained.weights, kept.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_measure_scores_every_processor(run):
    config, info, folder = run
    assert not quality.is_measured(config, folder)
    quality.measure(config, info, folder)
    assert quality.is_measured(config, folder)
    record = json.loads((folder / "metrics.json").read_text())
    assert [r["processor"] for r in record["results"]] == ["N", "mid", "step4"]
    assert [r["step"] for r in record["results"]] == [0, 2, 4]
    for row in record["results"]:
        assert np.isfinite(row["si_sdr_improvement_mixit_db"])
        assert np.isfinite(row["si_sdr_improvement_oracle_db"])


def test_without_stems_nothing_is_measured(run, tmp_path):
    config, _, _ = run
    info = write_shards(tmp_path, noise_clips(2, 4000))
    quality.measure(config, info, tmp_path)
    assert not (tmp_path / "metrics.json").exists()


def test_training_separates_tones(tmp_path):
    # Mixtures of one tone each: MixIT becomes supervised separation.
    stems = [stem for pair in _tones(8) for stem in pair]
    info = write_shards(tmp_path, stems)
    keras.utils.set_random_seed(1)
    learner = SeparationLearner(Separator(**SMALL), SeparationConfig())
    learner.optimizer = keras.optimizers.Adam(1e-2)
    step = tf.function(learner.train_step)
    index = RecordIndex.of(info, ("train",))
    batches = batches_of_pairs(index, 4000, 4, 1)
    losses = [float(step(batch)["loss"]) for batch, _ in batches.take(60)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 3


def test_many_sources_are_assigned_by_least_squares(run, tmp_path):
    _, info, _ = run
    config = _config(
        num_sources=17,
        mixit_search="least_squares",
        max_snr_db=20.0,
        steps=2,
        keep_steps=("2",),
    )
    separator_training.train_separator(config, info, tmp_path)
    kept = keras.saving.load_model(
        processor_files.processor_path(tmp_path, "step2")
    )
    assert kept.num_sources == 17
    assert all(np.isfinite(w).all() for w in kept.get_weights())
    mixtures = np.stack(_tones(3))[:, :, :900].astype("f4")
    learner = SeparationLearner(kept, config)
    scalars = learner.test_step(mixtures)
    losses, _ = mixit_loss(
        mixtures, kept(mixtures.sum(axis=1)), 20.0, "least_squares"
    )
    assert float(scalars["loss"]) == pytest.approx(np.mean(losses), abs=1e-4)


def test_pairs_are_neighbours_and_continue_by_step(tmp_path):
    clips = [np.full(100, k / 64, "f4") for k in range(8)]
    info = write_shards(tmp_path, clips)
    index = RecordIndex.of(info, ("train",))
    batches = batches_of_pairs(index, 40, 2, 5).take(4)
    whole, read_status = zip(*batches.as_numpy_iterator(), strict=True)
    whole = np.stack(whole)
    places = np.stack([of_batch[POSITION] for of_batch in read_status])
    np.testing.assert_array_equal(places.ravel(), np.arange(16))
    assert places.shape == whole.shape[:3] and not read_status[0][FAILED].any()
    assert whole.shape == (4, 2, 2, 40)
    levels = np.unique(whole[:2].reshape(8, -1)[:, 0])
    np.testing.assert_array_equal(levels, np.arange(8) / 64)  # One epoch.
    later = batches_of_pairs(index, 40, 2, 5, start_step=3)
    np.testing.assert_array_equal(next(iter(later))[0], whole[3])


def test_channels_stand_beside_the_mixture(run, tmp_path):
    _, info, folder = run
    files = processor_files.find(folder, ("N", "step4"))
    separated = channel_writer.separate(info, files, tmp_path / "out", SEPARATE)
    assert DatasetInfo.load(tmp_path / "out").processors == ("N", "step4")
    assert separated.num_channels == 2
    separator = keras.saving.load_model(files["step4"])
    names = []
    for shard in separated.splits["train"]:
        path = str(separated.folder / shard.file)
        for record in tf.data.TFRecordDataset(path):
            clip = example_schema.parse(record, files, 2, stems=True)
            names.append(clip[example_schema.CLIP_ID].numpy().decode())
            mixture = codec.decode(clip[example_schema.AUDIO], "pcm16")
            for name in files:
                key = example_schema.channels_key(name)
                channels = np.stack(
                    [codec.decode(c, "pcm16") for c in clip[key]]
                )
                # Each channel is rounded to 16 bits.
                np.testing.assert_allclose(
                    channels.sum(axis=0), mixture, atol=1.1 / 2**15
                )
            expected = separator(mixture[None])[0]
            np.testing.assert_allclose(channels, expected, atol=0.6 / 2**15)
            assert len(clip[example_schema.STEMS]) == 2
    assert names == ["clip0", "clip2", "clip4", "clip1", "clip3", "clip5"]


def test_separating_again_makes_only_what_is_missing(run, tmp_path):
    _, info, folder = run
    files = processor_files.find(folder, ("N",))
    out = tmp_path / "out"
    channel_writer.separate(info, files, out, SEPARATE)
    first, second = sorted(out.glob("*.tfrecord"))
    contents = first.read_bytes(), second.read_bytes()
    kept = first.stat().st_mtime_ns
    second.unlink()
    channel_writer.separate(info, files, out, SEPARATE)
    assert (first.read_bytes(), second.read_bytes()) == contents
    assert first.stat().st_mtime_ns == kept


def test_clips_of_different_lengths_are_separated_alone(tmp_path):
    lengths = (3000, 4000, 3000, 2500)
    clips = [noise_clips(1, n, seed=n)[0] for n in lengths]
    info = write_shards(tmp_path / "in", clips, num_shards=1)
    separator = Separator(**SMALL)
    separator.save(tmp_path / "P.keras")
    files = {"P": tmp_path / "P.keras"}
    separated = channel_writer.separate(info, files, tmp_path / "out", SEPARATE)
    path = str(separated.folder / separated.splits["train"][0].file)
    for record, clip in zip(tf.data.TFRecordDataset(path), clips, strict=True):
        parsed = example_schema.parse(record, ("P",), 2)
        first = parsed[example_schema.channels_key("P")][0]
        np.testing.assert_allclose(
            codec.decode(first, "pcm16"),
            separator(clip[None])[0, 0],
            atol=1e-4,
        )


@pytest.mark.parametrize(
    "flags, message",
    [
        ({"keep_steps": ("0", "x=")}, "'x=' is neither a step"),
        ({"keep_steps": ("A=1", "A=2")}, "a name is twice"),
        ({"keep_steps": ("5",)}, "step 5, past --steps=4"),
    ],
)
def test_bad_keep_steps_are_refused(flags, message):
    with pytest.raises(ValueError, match=message):
        _config(**flags)


def test_missing_processors_are_told(run, tmp_path):
    _, _, folder = run
    with pytest.raises(UserError, match="no processor 'S9': it has N, mid"):
        processor_files.find(folder, ("S9",))
    run_directory.start(str(tmp_path), processor_files.STAGE, _config())
    with pytest.raises(UserError, match="holds no checkpoint"):
        processor_files.find(tmp_path)


def test_output_may_not_be_the_source(run):
    _, info, folder = run
    files = processor_files.find(folder, ("N",))
    with pytest.raises(UserError, match="is the folder of --shards"):
        channel_writer.separate(info, files, info.folder, SEPARATE)
