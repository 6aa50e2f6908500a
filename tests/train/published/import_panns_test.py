import json
import shutil

import keras
import numpy as np
import pytest

from data.run import run_directory
from data.run.errors import UserError
from models.frontend.panns_log_mel import PANNsLogMel
from tests.agreement import largest_difference
from tests.golden.loading import load
from tests.models.cnn14 import panns_recipe
from tests.train.published import torch_files
from train.import_panns import ImportConfig, import_panns

CLASSES = 5


def _small(rate_hz: int = 16000) -> dict:
    """A state dict with front end and counters, of a 16th of the width."""
    matrix = PANNsLogMel(rate_hz).mel_matrix
    return {
        **torch_files.front_end_arrays(matrix),
        **panns_recipe.state_dict(first_channels=4, num_classes=CLASSES),
        "conv_block1.bn1.num_batches_tracked": np.array(3),
    }


def _import(tmp_path, value: object, **flags):
    torch_files.save(tmp_path / "c.pth", value)
    config = ImportConfig(
        str(tmp_path / "c.pth"), str(tmp_path / "run"), **flags
    )
    model = keras.saving.load_model(import_panns(config))
    classifier = keras.saving.load_model(tmp_path / "run" / "classifier.keras")
    return model, classifier


def test_published_size_gives_the_reference_output(tmp_path, agrees):
    arrays = panns_recipe.state_dict()
    arrays.update(torch_files.front_end_arrays(PANNsLogMel(32000).mel_matrix))
    model, classifier = _import(
        tmp_path, {"iteration": 600000, "model": arrays}
    )
    shutil.rmtree(tmp_path)  # Some 650 MB.
    assert model.sample_rate_hz == 32000
    assert model.count_params() + classifier.count_params() == 80_769_871
    golden = load("cnn14")
    h = np.asarray(model.encoder(golden["input"]))
    source = "audioset_tagging_cnn"
    difference = largest_difference(h, golden["with_bn0_embedding"])
    agrees("imported PANNs: embedding", source, difference, 1e-4)
    difference = largest_difference(
        classifier(h), golden["with_bn0_clipwise_output"]
    )
    agrees("imported PANNs: class scores", source, difference, 1e-5)


@pytest.mark.parametrize("rate_hz", [32000, 16000, 8000])
def test_each_published_rate_is_found(rate_hz, tmp_path, capsys):
    model, classifier = _import(tmp_path, _small(rate_hz))
    assert model.sample_rate_hz == rate_hz
    assert model.get_config()["frontend"] == "panns"
    # 10 s that overlap by half.
    assert model.window_samples == 10 * rate_hz
    assert model.window_hop_samples == 5 * rate_hz
    assert model.window_frames == 1001
    assert (model.embedding_dim, classifier.num_classes) == (128, CLASSES)
    told = capsys.readouterr().out.splitlines()
    assert f"at {rate_hz} Hz" in told[0] and "5 classes" in told[0]
    assert told[1:] == [
        str(tmp_path / "run" / name)
        for name in ("embedding_model.keras", "classifier.keras")
    ]


def test_windows_are_as_long_as_is_asked(tmp_path):
    model, classifier = _import(tmp_path, _small(), window_seconds=1.5)
    assert (model.window_samples, model.window_hop_samples) == (24000, 12000)
    waveform = np.random.default_rng(1).normal(0, 0.1, (2, 40000)).astype("f4")
    h = np.asarray(model.embed_windows(waveform))
    assert h.shape == (2, 2, 128)
    scores = classifier(h[:, 0])
    assert scores.shape == (2, CLASSES)
    assert 0 < np.min(scores) < np.max(scores) < 1


def test_run_directory_says_what_it_is_and_is_kept(tmp_path):
    _import(tmp_path, _small())
    run = tmp_path / "run"
    assert run_directory.read(run, "import_panns")["config"] == {
        "checkpoint": str(tmp_path / "c.pth"),
        "output": str(run),
        "window_seconds": 10.0,
        "class_labels": "",
        "sample_rate_hz": None,
    }
    before = (run / "embedding_model.keras").stat().st_mtime_ns
    (tmp_path / "c.pth").unlink()
    import_panns(ImportConfig(str(tmp_path / "c.pth"), str(run)))
    assert (run / "embedding_model.keras").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="started with --checkpoint="):
        import_panns(ImportConfig("another.pth", str(run)))


def test_class_names_are_kept_in_the_order_of_their_indices(tmp_path):
    labels = tmp_path / "labels.csv"
    names = ["Speech", "Dog", "Rain, heavy", "Bell", "Wind"]
    rows = [f'{i},/m/{i},"{name}"' for i, name in enumerate(names)]
    labels.write_text("\n".join(["index,mid,display_name", *rows[::-1]]))
    _import(tmp_path, _small(), class_labels=str(labels))
    stored = (tmp_path / "run" / "class_names.json").read_text()
    assert json.loads(stored) == names
    labels.write_text("\n".join(["index,mid,display_name", *rows[:4]]))
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(UserError, match="has 4 classes, the checkpoint 5"):
        _import(tmp_path, _small(), class_labels=str(labels))
    labels.write_text("index,mid\n0,/m/0\n")
    with pytest.raises(UserError, match="no column 'display_name'"):
        _import(tmp_path, _small(), class_labels=str(labels))
    assert not (tmp_path / "run").exists()


def test_rate_is_a_flag_where_no_front_end_tells_it(tmp_path):
    bare = {
        name: array
        for name, array in _small().items()
        if "extractor" not in name
    }
    with pytest.raises(
        UserError, match="no front end .* --sample_rate_hz is N"
    ):
        _import(tmp_path, bare)
    with pytest.raises(UserError, match="is 22050: name one of 32000 Hz"):
        _import(tmp_path, bare, sample_rate_hz=22050)
    model, _ = _import(tmp_path, bare, sample_rate_hz=8000)
    assert model.sample_rate_hz == 8000


def _with(**changes):
    changes = {key.replace("__", "."): value for key, value in changes.items()}
    return {**_small(), **changes}


def _of_another_scale():
    matrix = PANNsLogMel(16000, low_hz=60.0).mel_matrix
    return _with(logmel_extractor__melW=matrix)


REFUSED = {
    "no state dict": (
        {"model": {"weight": np.ones(3)}},
        {},
        "c.pth has no conv",
    ),
    "first kernel of another shape": (
        _with(conv_block1__conv1__weight=np.ones((4, 3))),
        {},
        "no conv_block1.conv1.weight of four axes",
    ),
    "another rate": (
        _small(),
        {"sample_rate_hz": 8000},
        "is for 16000 Hz, not for --sample_rate_hz=8000",
    ),
    "another spectrogram": (
        _with(logmel_extractor__melW=np.ones((201, 64))),
        {},
        "is of no published Cnn14, which are for 32000 Hz",
    ),
    "number for a matrix": (
        _with(logmel_extractor__melW=7),
        {},
        "is of no published Cnn14",
    ),
    "another mel scale": (
        _of_another_scale(),
        {},
        r"melW differs by .* for 16000 Hz: .* another front end",
    ),
    "other mel bands": (
        _with(logmel_extractor__melW=np.ones((257, 128))),
        {},
        r"melW has shape \(257, 128\), .* \(257, 64\)",
    ),
    "wider": (
        _with(conv_block1__conv1__weight=np.ones((65, 1, 3, 3))),
        {},
        "has 65 channels: a Cnn14 has 64",
    ),
    "no classifier": (
        _with(fc_audioset__weight=np.ones(5)),
        {},
        "has no matrix fc_audioset.weight",
    ),
    "an array too many": (
        _with(conv_block7__conv1__weight=np.ones((2, 3))),
        {},
        r"conv_block7.conv1.weight has shape \(2, 3\) in .*, \(absent\) in",
    ),
    "another shape": (
        _with(fc1__weight=np.ones((6, 128))),
        {},
        r"fc1.weight has shape \(6, 128\) in .*, \(128, 128\) in the network",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_published_cnn14_is_refused(case, tmp_path):
    value, flags, told = REFUSED[case]
    with pytest.raises(UserError, match=told):
        _import(tmp_path, value, **flags)
    assert [path.name for path in tmp_path.iterdir()] == ["c.pth"]
