"""Separators and classifiers in a SavedModel; encoders alone are in
export_saved_model_test."""

import json

import numpy as np
import pytest
import tensorflow as tf

from data.run.atomic_write import write_json
from data.run.errors import UserError
from evaluate.export_saved_model import ExportConfig
from models.heads.linear_classifier import LinearClassifier
from models.separation.separator import Separator
from tests.evaluate.entry_point_runs import exported
from tests.evaluate.serving.saved_model_loaders import (
    answers_in_a_session,
    answers_without_keras,
)
from tests.evaluate.toy_runs import write_toy_run

LENGTHS = (1, 7, 39, 41, 12345)
BATCHES = (1, 3)


def _separator(basis, num_sources, rate_hz=16000):
    separator = Separator(
        num_sources,
        rate_hz,
        basis,
        num_coefficients=11,
        bottleneck=5,
        conv_channels=7,
        num_dilations=3,
        num_repeats=1,
    )
    random = np.random.default_rng(num_sources)
    for weight in separator.weights:
        noise = 0.3 * random.normal(size=weight.shape)
        weight.assign(weight.numpy() + noise)
    return separator


def _write_run(folder, stage, separators):
    (folder / "processors").mkdir(parents=True)
    config = {"shards": "shards", "num_sources": 2}
    record = {"stage": stage, "config": config, "command": [], "versions": {}}
    write_json(folder / "config.json", record)
    for name, separator in separators.items():
        separator.save(folder / "processors" / f"{name}.keras")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder of two runs, and their separators by name."""
    folder = tmp_path_factory.mktemp("runs")
    trained = {"N": _separator("learned", 2), "S2": _separator("stft", 3)}
    birds = {"step5": _separator("learned", 4, 22050)}
    _write_run(folder / "trained", "train_separation", trained)
    _write_run(folder / "birds", "import_separator", birds)
    return folder, trained | birds


@pytest.fixture(scope="module")
def waveforms():
    random = np.random.default_rng(0)
    return {
        f"{batch}x{length}": random.normal(0, 0.1, (batch, length)).astype("f4")
        for batch in BATCHES
        for length in LENGTHS
    }


@pytest.fixture(scope="module")
def both(runs, tmp_path_factory):
    """Encoder with a classifier, and a separator, in one SavedModel."""
    folder, separators = runs
    encoder = write_toy_run(folder / "encoder", folder / "shards")
    classifier = LinearClassifier(11, 5)
    random = np.random.default_rng(1)
    for weight in classifier.weights:
        weight.assign(random.normal(size=weight.shape))
    classifier.save(folder / "encoder" / "classifier.keras")
    config = ExportConfig(
        encoder=str(folder / "encoder"),
        separator=str(folder / "trained"),
        processor="S2",
        output=str(tmp_path_factory.mktemp("both")),
    )
    return encoder, classifier, separators["S2"], exported(config), config


@pytest.mark.parametrize(
    "run,processor,rate_hz,shape",
    [("trained", "S2", 16000, "[B, 3, T]"), ("birds", "", 22050, "[B, 4, T]")],
    ids=["stft", "learned"],
)
def test_a_separator_alone_is_served_by_both_loaders(
    run, processor, rate_hz, shape, runs, waveforms, tmp_path, capsys
):
    folder, separators = runs
    output = str(tmp_path / "served")
    served = exported(
        ExportConfig(
            separator=str(folder / run), processor=processor, output=output
        )
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == [
        f"separate: waveform [B, T] at {rate_hz} Hz -> channels {shape}",
        f"serving_default: waveform [B, T] -> channels {shape}",
    ]
    assert lines[4].endswith("MODEL_NAME=separation tensorflow/serving")
    # The test of all signatures loads without Keras.
    answers = answers_in_a_session(served, waveforms)
    assert {key.split("/", 1)[1] for key in answers} == {
        "serving_default/channels",
        "separate/channels",
    }
    separate = tf.saved_model.load(served).signatures["separate"]
    for key, waveform in waveforms.items():
        expected = separators[processor or "step5"](waveform)
        assert expected.shape[2] == waveform.shape[1]
        for answer in (
            separate(waveform=tf.constant(waveform))["channels"],
            answers[f"{key}/separate/channels"],
            answers[f"{key}/serving_default/channels"],
        ):
            np.testing.assert_allclose(answer, expected, atol=1e-6)


def test_all_signatures_of_encoder_classifier_and_separator(
    both, waveforms, tmp_path
):
    encoder, classifier, separator, served, _ = both
    long = np.random.default_rng(3).normal(0, 0.1, (2, 40001)).astype("f4")
    waveforms = {**waveforms, "2x40001": long}
    in_session = answers_in_a_session(served, waveforms)
    without_keras = answers_without_keras(served, waveforms, tmp_path)
    assert set(in_session) == set(without_keras)
    for key, waveform in waveforms.items():
        windows = encoder.embed_windows(waveform).numpy()  # (B, W, d)
        of_windows = [classifier(h).numpy().mean(0) for h in windows]
        expected = {
            "serving_default/embedding": encoder(waveform),
            "windows/windows": windows,
            "scores/scores": np.stack(of_windows),
            "separate/channels": separator(waveform),
        }
        for answers in (in_session, without_keras):
            assert sum(k.startswith(f"{key}/") for k in answers) == 4
            for name, value in expected.items():
                answer = answers[f"{key}/{name}"]
                np.testing.assert_allclose(answer, value, atol=1e-5)
    # Three windows of scores, and they are no means of one.
    assert windows.shape == (2, 4, 11)
    assert np.ptp(in_session["2x40001/scores/scores"]) > 1e-3


def test_description_tells_of_the_separator(runs, both):
    folder, _ = runs
    _, _, separator, served, _ = both
    value = json.loads((served / "assets.extra" / "model.json").read_text())
    assert value["encoder"] == str(folder / "encoder")
    assert value["num_classes"] == 5
    told = value["separation"]
    assert told["separator"] == str(folder / "trained")
    assert (told["processor"], told["num_sources"]) == ("S2", 3)
    assert (told["window_samples"], told["hop_samples"]) == (512, 128)
    assert told["stage"] == "train_separation"
    assert told["config"]["shards"] == "shards"
    assert Separator.from_config(told["model"]).basis == separator.basis
    parts = ("encoder", "classifier", "separator")
    digests = {value[f"{part}_sha256"] for part in parts}
    assert len(digests) == 3 and {len(digest) for digest in digests} == {64}


def test_variables_are_stored_once(both):
    encoder, classifier, separator, served, _ = both
    counts = [m.count_params() for m in (encoder, classifier, separator)]
    stored = sum(
        np.prod(shape)
        for _, shape in tf.train.list_variables(
            str(served / "variables" / "variables")
        )
        if shape
    )
    assert sum(counts) * 0.99 <= stored <= sum(counts) * 1.01


def test_the_same_models_are_kept_and_others_refused(runs, both, capsys):
    folder, _ = runs
    *_, served, config = both
    assert exported(config) == served
    assert "holds this model already" in capsys.readouterr().out
    for other in (
        ExportConfig(encoder=config.encoder, output=config.output),
        ExportConfig(
            separator=config.separator, processor="S2", output=config.output
        ),
        ExportConfig(
            encoder=config.encoder,
            separator=config.separator,
            processor="N",
            output=config.output,
        ),
    ):
        with pytest.raises(UserError, match="holds another model"):
            exported(other)


def test_what_does_not_go_together_is_refused(runs, both, tmp_path):
    folder, _ = runs
    config = both[-1]
    output = str(tmp_path / "served")

    def refuse(message, **flags):
        with pytest.raises(UserError, match=message):
            exported(ExportConfig(output=output, **flags))

    trained = str(folder / "trained")
    refuse("has the processors N, S2: name one", separator=trained)
    refuse("no processor 'S9'", separator=trained, processor="S9")
    refuse("run of pretrain_contrastive", separator=config.encoder)
    refuse(
        "encoder is for 16000 Hz.*step5.keras for 22050 Hz",
        encoder=config.encoder,
        separator=str(folder / "birds"),
    )
    write_toy_run(tmp_path / "encoder", folder / "shards")
    file = tmp_path / "encoder" / "classifier.keras"
    LinearClassifier(12, 5).save(file)
    refuse(
        "classifier.keras does not take embeddings of 11",
        encoder=str(tmp_path / "encoder"),
    )
    file.write_bytes(file.read_bytes()[:1000])
    refuse("classifier.keras is damaged", encoder=str(tmp_path / "encoder"))
    assert not (tmp_path / "served").exists()


@pytest.mark.parametrize(
    "flags,message",
    [
        ({"output": "o"}, "--encoder is empty and so is --separator"),
        ({"encoder": "e"}, "--output is empty"),
        ({"encoder": "e", "output": "o", "processor": "S2"}, "S2 needs --sep"),
    ],
)
def test_flags_that_say_too_little_are_refused(flags, message):
    with pytest.raises(ValueError, match=message):
        ExportConfig(**flags)
