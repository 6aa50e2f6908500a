"""Encoders, classifiers and separators in a SavedModel."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from data.run import run_lock
from data.run.atomic_write import write_json
from data.run.errors import UserError
from data.shards.record_index import RecordIndex
from evaluate.embeddings.clip_embeddings import embed_shard
from evaluate.embeddings.encoders import load_encoders
from evaluate.export_saved_model import ExportConfig
from evaluate.serving import saved_model, served_runs
from evaluate.serving.signatures import Example, Signature
from models.heads.linear_classifier import LinearClassifier
from models.separation.separator import Separator
from tests.evaluate.entry_point_runs import exported
from tests.evaluate.toy_runs import toy_clip, write_toy_run, write_toy_shards

# Run without this repository on the path and with keras out of reach.
_SCRIPT = """
import sys

sys.modules.update(keras=None, tf_keras=None)
import numpy as np
import tensorflow as tf

folder, waveforms, answers = sys.argv[1:]
model = tf.saved_model.load(folder)
found = {}
with np.load(waveforms) as inputs:
    for name in inputs:
        waveform = tf.constant(inputs[name])
        for key, signature in model.signatures.items():
            if set(signature.structured_input_signature[1]) != {"waveform"}:
                continue
            for output, value in signature(waveform=waveform).items():
                found[f"{name}/{key}/{output}"] = value.numpy()
assert not {"keras.src", "models", "evaluate"} & set(sys.modules)
np.savez(answers, **found)
"""


# Beside the versions.
BESIDE = {".lock", "models.config", "batching_parameters.txt"}


def _names(folder):
    return {path.name for path in folder.iterdir()}


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


@pytest.fixture(scope="module")
def answering(both):
    """Its signatures, loaded here."""
    return tf.saved_model.load(both[3]).signatures


def _answers_without_keras(served, waveforms, scratch):
    """ "<waveform>/<signature>/<output>" -> value, from a fresh process."""
    np.savez(scratch / "waveforms.npz", **waveforms)
    files = ("waveforms.npz", "answers.npz")
    done = subprocess.run(
        [sys.executable, "-I", "-c", _SCRIPT, str(served), *files],
        cwd=scratch,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    with np.load(scratch / "answers.npz") as answers:
        return dict(answers)


def _answers_in_a_session(served, waveforms):
    """The same from a graph and a session, as TensorFlow Serving loads it."""
    answers = {}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(served))
        for key, signature in loaded.signature_def.items():
            if set(signature.inputs) != {"waveform"}:
                continue
            outputs = {k: t.name for k, t in signature.outputs.items()}
            for name, waveform in waveforms.items():
                feeds = {signature.inputs["waveform"].name: waveform}
                for output, value in session.run(outputs, feeds).items():
                    answers[f"{name}/{key}/{output}"] = value
    return answers


def test_a_separator_alone_is_served_and_told_of(runs, tmp_path, capsys):
    folder, separators = runs
    output = tmp_path / "served here"
    config = ExportConfig(
        separator=str(folder / "birds"), output=str(output), version=3
    )
    served = exported(config)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"SavedModel: {output / '3'} (")
    assert lines[1:4] == [
        "waveform [B, T] at 22050 Hz is answered by",
        "separate: waveform -> channels [B, 4, T], valid [B]",
        "serving_default: waveform -> channels [B, 4, T], valid [B]",
    ]
    assert f"--dir '{output / '3'}'" in lines[4]
    assert f"-v '{output}:/models/separation'" in lines[5]
    assert "/models/separation/models.config" in lines[5]
    waveform = tf.constant(np.random.default_rng(0).normal(0, 0.1, (3, 4321)))
    waveform = tf.cast(waveform, tf.float32)
    expected = separators["step5"](waveform)
    assert expected.shape == (3, 4, 4321)
    for signature in tf.saved_model.load(served).signatures.values():
        answer = signature(waveform=waveform)["channels"]
        np.testing.assert_allclose(answer, expected, atol=1e-6)


def test_all_signatures_of_encoder_classifier_and_separator(both, tmp_path):
    encoder, classifier, separator, served, _ = both
    random = np.random.default_rng(0)
    shapes = (1, 1), (3, 7), (1, 41), (3, 12345), (2, 40001)
    waveforms = {
        f"{batch}x{size}": random.normal(0, 0.1, (batch, size)).astype("f4")
        for batch, size in shapes
    }
    in_session = _answers_in_a_session(served, waveforms)
    without_keras = _answers_without_keras(served, waveforms, tmp_path)
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
            assert sum(k.startswith(f"{key}/") for k in answers) == 10
            for name, value in expected.items():
                answer = answers[f"{key}/{name}"]
                np.testing.assert_allclose(answer, value, atol=1e-5)
                valid = answers[f"{key}/{name.split('/')[0]}/valid"]
                assert valid.tolist() == [True] * len(waveform)
    # Five windows of scores, and they are no means of one.
    assert windows.shape == (2, 5, 11)
    assert np.ptp(in_session["2x40001/scores/scores"]) > 1e-3


def test_the_embedding_is_that_of_evaluate(runs, answering, tmp_path):
    folder, _ = runs
    lengths = (0.5, 0.96, 3.0, 10.0)
    clips = {"eval": [(seconds, (0, 1)) for seconds in lengths]}
    info = write_toy_shards(tmp_path / "shards", clips)
    [encoder] = load_encoders([str(folder / "encoder")])
    store, _ = embed_shard(encoder, RecordIndex.of(info, ["eval"]))
    embed = answering["serving_default"]
    for number, seconds in enumerate(lengths):
        audio = toy_clip(number, seconds, (0, 1))
        stored = np.round(audio.astype("f8") * 32768).astype("f4") / 32768
        answer = embed(waveform=tf.constant(stored[None]))["embedding"]
        np.testing.assert_allclose(answer[0], store.clips[number], atol=1e-5)


# Of the outputs beside `valid`, for clips of 40001 samples.
SHAPES = {
    "serving_default": {"embedding": (11,)},
    "windows": {"windows": (5, 11), "start_s": (5,), "end_s": (5,)},
    "scores": {"scores": (5,)},
    "separate": {"channels": (3, 40001)},
    "padded": {"embedding": (11,), "scores": (5,)},
}


def _answer(signature, waveform):
    """Of clips without padding, and which of them are valid."""
    inputs = {"waveform": tf.constant(waveform)}
    if "num_samples" in signature.structured_input_signature[1]:
        batch, samples = waveform.shape
        inputs["num_samples"] = tf.fill([batch], samples)
    answer = {k: v.numpy() for k, v in signature(**inputs).items()}
    return answer, answer.pop("valid").tolist()


def test_clips_that_are_not_valid_are_zeros_and_change_no_other(answering):
    assert set(answering) == {*SHAPES, "audio_bytes"}
    random = np.random.default_rng(0)
    good = random.normal(0, 0.1, (3, 40001)).astype("f4")
    good[1, 5] = 1e6  # The most that is valid.
    worst = [np.nan, np.inf, -np.inf, 1e30, -1.1e6]
    bad = np.zeros((len(worst), 40001), "f4")
    bad[range(len(worst)), range(0, 40000, 8000)] = worst
    for name in SHAPES:
        signature = answering[name]
        answer, valid = _answer(signature, np.concatenate([bad, good]))
        assert set(answer) == set(SHAPES[name])
        assert valid == [False] * 5 + [True] * 3
        alone, _ = _answer(signature, good[::2])
        for output, value in answer.items():
            zeros = np.zeros((5, *SHAPES[name][output]))
            np.testing.assert_array_equal(value[:5], zeros)
            assert np.isfinite(value).all() and value[6].any()
            np.testing.assert_allclose(
                value[5::2], alone[output], rtol=1e-5, atol=1e-5
            )


@pytest.mark.parametrize("batch, samples", [(0, 0), (0, 40001), (3, 0)])
def test_no_samples_and_no_clips_are_answered_too(answering, batch, samples):
    for name in SHAPES:
        waveform = np.zeros((batch, samples), "f4")
        answer, valid = _answer(answering[name], waveform)
        assert valid == [False] * batch
        for output, shape in SHAPES[name].items():
            if output == "channels":
                shape = 3, samples
            elif name == "windows" and not samples:
                # No window is less than one.
                shape = 1, *shape[1:]
            assert answer[output].shape == (batch, *shape)
            assert not answer[output].any()


def test_times_are_those_of_the_windows(both, answering):
    encoder, signature = both[0], answering["windows"]
    for samples, starts in (
        (3000, [0]),
        (40001, [0, 7680, 15360, 23040, 24401]),
    ):
        waveform = np.random.default_rng(0).normal(0, 0.1, (2, samples))
        answer, _ = _answer(signature, waveform.astype("f4"))
        ends = np.minimum(np.add(starts, 15600), samples)
        for times, places in (("start_s", starts), ("end_s", ends)):
            expected = np.tile(np.divide(places, 16000), (2, 1))
            np.testing.assert_allclose(answer[times], expected, atol=1e-6)
    last = encoder(waveform[:, starts[-1] :].astype("f4"))
    np.testing.assert_allclose(answer["windows"][:, -1], last, atol=1e-5)


def test_padded_clips_get_what_they_get_alone(both, answering):
    encoder, classifier, *_ = both
    random = np.random.default_rng(0)
    # More windows than are encoded at once.
    waveform = random.normal(0, 0.1, (9, 250000)).astype("f4")
    lengths = [1, 41, 7800, 15599, 15600, 15601, 100000, 234567, 250000]
    alone = [
        encoder.embed_windows(clip[None, :length])[0]
        for clip, length in zip(waveform, lengths, strict=True)
    ]
    for past in (0, np.nan, 1e30):
        for clip, length in zip(waveform, lengths, strict=True):
            clip[length:] = past
        answer = answering["padded"](
            waveform=tf.constant(waveform), num_samples=tf.constant(lengths)
        )
        assert answer["valid"].numpy().all()
        for number, windows in enumerate(alone):
            np.testing.assert_allclose(
                answer["embedding"][number], np.mean(windows, 0), atol=1e-5
            )
            scores = np.mean(classifier(windows), axis=0)
            np.testing.assert_allclose(
                answer["scores"][number], scores, atol=1e-5
            )


def test_lengths_that_cannot_be_are_not_valid(answering):
    waveform = np.random.default_rng(0).normal(0, 0.1, (6, 20000))
    waveform[4, 9999] = np.nan
    answer = answering["padded"](
        waveform=tf.constant(waveform, tf.float32),
        num_samples=tf.constant([-1, 0, 20000, 20001, 10000, 9999]),
    )
    expected = [False, False, True, False, False, True]
    assert answer["valid"].numpy().tolist() == expected
    for output in ("embedding", "scores"):
        assert answer[output].numpy().any(axis=1).tolist() == expected


def test_description_says_where_the_models_come_from(runs, both):
    folder, _ = runs
    _, _, separator, served, config = both
    value = json.loads((served / "assets.extra" / "model.json").read_text())
    assert (value["sample_rate_hz"], value["embedding_dim"]) == (16000, 11)
    assert (value["window_samples"], value["num_classes"]) == (15600, 5)
    assert value["encoder"] == config.encoder
    assert value["pretraining"]["shards"] == str(folder / "shards")
    told = value["separation"]
    assert told["separator"] == config.separator
    assert (told["processor"], told["num_sources"]) == ("S2", 3)
    assert (told["window_samples"], told["hop_samples"]) == (512, 128)
    assert told["stage"] == "train_separation"
    assert told["config"]["shards"] == "shards"
    assert Separator.from_config(told["model"]).basis == separator.basis
    parts = ("encoder", "classifier", "separator")
    digests = {value[f"{part}_sha256"] for part in parts}
    assert len(digests) == 3 and {len(digest) for digest in digests} == {64}
    # A version folder and nothing half written beside it.
    assert _names(served.parent) == BESIDE | {"1"}
    text = (served.parent / "models.config").read_text()
    assert 'base_path: "/models/embedding"' in text


def test_each_signature_is_traced_once(tmp_path):
    traced = []

    def answer(waveform):
        traced.append(waveform)
        return {"twice": 2 * waveform}

    spec = tf.TensorSpec([None, None], tf.float32, name="waveform")
    signature = Signature((spec,), {"twice": "[B, T]"}, answer, ())
    found = {"serving_default": signature, "again": signature}
    saved_model.write(found, tmp_path / "1")
    assert len(traced) == 1
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    assert set(loaded.signatures) == set(found)
    for served in (*loaded.signatures.values(), loaded.again):
        answer = served(waveform=tf.ones((1, 2)))
        np.testing.assert_array_equal(answer["twice"], [[2, 2]])


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
    assert sum(counts) * 0.98 <= stored <= sum(counts) * 1.01


def test_the_same_models_are_kept_and_others_refused(both, capsys):
    *_, served, config = both
    before = {p: p.stat().st_mtime_ns for p in served.rglob("*")}
    assert exported(config) == served
    assert "holds this model already" in capsys.readouterr().out
    separator = {"separator": config.separator}
    for parts in (
        {"encoder": config.encoder},
        {**separator, "processor": "S2"},
        {**separator, "processor": "N", "encoder": config.encoder},
    ):
        with pytest.raises(
            UserError, match="another model, .*: raise --version"
        ):
            exported(ExportConfig(output=config.output, version=1, **parts))
    assert {p: p.stat().st_mtime_ns for p in served.rglob("*")} == before


def test_versions_count_up_with_the_models(runs, tmp_path, capsys):
    folder, _ = runs
    options = {"output": str(tmp_path), "separator": str(folder / "trained")}
    told = []
    for processor, version in (("N", 1), ("N", 1), ("S2", 2)):
        served = exported(ExportConfig(**options, processor=processor))
        assert served.name == str(version)
        told.append("SavedModel:" in capsys.readouterr().out)
    assert told == [True, False, True]
    assert _names(tmp_path) == BESIDE | set("12")
    # An older version of the same model is no reason not to write it.
    files = served_runs.find("", options["separator"], "N")
    digests = served_runs.digests_of(files)
    assert served_runs.next_version(digests, tmp_path, may_replace=False) == 3

    again = ExportConfig(**options, processor="N", remake=True)
    served = exported(again)
    assert served.name == "2" and _names(tmp_path) == BESIDE | set("12")
    value = json.loads((served / "assets.extra/model.json").read_text())
    assert value["separation"]["processor"] == "N"
    # What is no SavedModel of ours is never replaced.
    (served / "assets.extra/model.json").unlink()
    with pytest.raises(UserError, match="holds another model"):
        exported(again)


def test_an_export_that_answers_in_an_older_way_is_refused(both, tmp_path):
    *_, served, config = both
    shutil.copytree(served, tmp_path / "1")
    file = tmp_path / "1" / "assets.extra" / "model.json"
    value = json.loads(file.read_text())
    del value["export_version"]
    file.write_text(json.dumps(value))
    older = dataclasses.replace(config, output=str(tmp_path), version=1)
    with pytest.raises(UserError, match="an older version exported"):
        exported(older)


def test_what_does_not_go_together_is_refused(runs, both, tmp_path):
    folder, _ = runs
    encoder = both[-1].encoder

    def refuse(message, output="served", **flags):
        with pytest.raises(UserError, match=message):
            exported(ExportConfig(output=str(tmp_path / output), **flags))

    trained = str(folder / "trained")
    refuse("has the processors N, S2: name one", separator=trained)
    refuse("no processor 'S9'", separator=trained, processor="S9")
    refuse("run of pretrain_contrastive", separator=encoder)
    refuse(
        "encoder is for 16000 Hz.*step5.keras for 22050 Hz",
        encoder=encoder,
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
    (tmp_path / "file").write_text("")
    refuse("file is not a folder", "file", encoder=encoder)


def test_an_export_that_disagrees_never_appears(
    runs, both, tmp_path, monkeypatch
):
    folder, _ = runs
    served = both[3]
    monkeypatch.setattr(
        saved_model, "write", lambda _, path: shutil.copytree(served, path)
    )
    write_toy_run(tmp_path / "other", folder / "shards", seed=1)
    with pytest.raises(RuntimeError, match="off Keras"):
        exported(
            ExportConfig(str(tmp_path / "other"), str(tmp_path / "served"))
        )
    assert [p.name for p in (tmp_path / "served").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    "off, told", [(0.9, None), (1.1, "audio is 0.0011 off Keras for x")]
)
def test_a_signature_has_its_tolerance(tmp_path, off, told):
    """Relative to the largest value."""

    def answer(x):
        return {"y": 10 * x + off * 1e-3}

    served = {
        "audio": Signature(
            inputs=(tf.TensorSpec([None], name="x"),),
            outputs={"y": "[B]"},
            answer=answer,
            examples=(
                Example(
                    {"x": np.array([0.3, 1], "f4")},
                    lambda x: {"y": np.array([3.0, 10.0])},
                ),
            ),
            tolerance=1e-4,
        )
    }
    saved_model.write(served, tmp_path / "1")
    if told is None:
        found = saved_model.largest_difference(served, tmp_path / "1")
        assert found == pytest.approx(off * 1e-3, rel=0.01)
    else:
        with pytest.raises(RuntimeError, match=re.escape(told)):
            saved_model.largest_difference(served, tmp_path / "1")


def test_an_export_that_was_killed_is_swept_and_a_second_one_refused(both):
    *_, served, config = both
    left = served.with_name(".writing-0a-1")
    left.mkdir()
    # Killed while it was replaced.
    served.rename(served.with_name(".old-0b-1"))
    assert exported(config) == served and served.is_dir()
    assert _names(served.parent) == BESIDE | {"1"}
    run_lock.release(config.output)
    try:
        other = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from data.run import run_lock;"
                "run_lock.take(sys.argv[1]); print(flush=True); input()",
                config.output,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        other.stdout.readline()
        with pytest.raises(UserError, match=f"written by process {other.pid}"):
            exported(config)
    finally:
        other.communicate(b"\n")


def test_flags_that_say_too_little_are_refused():
    for flags, message in (
        ({"output": "o"}, "--encoder is empty and so is --separator"),
        ({"encoder": "e"}, "--output is empty"),
        ({"encoder": "e", "output": "o", "processor": "S2"}, "S2 needs --sep"),
    ):
        with pytest.raises(ValueError, match=message):
            ExportConfig(**flags)
