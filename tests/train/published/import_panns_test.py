import json
import shutil

import keras
import numpy as np
import pytest

from data.run import run_directory
from data.run.errors import UserError
from models.cnn14.cnn14 import CNN14
from models.cnn14.panns_weights import load_panns_weights
from models.frontend.panns_log_mel import PANNsLogMel
from models.heads.linear_classifier import LinearClassifier
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
    tmp_path.mkdir(exist_ok=True)
    torch_files.save(tmp_path / "c.pth", value)
    config = ImportConfig(
        str(tmp_path / "c.pth"), str(tmp_path / "run"), **flags
    )
    model = keras.saving.load_model(import_panns(config))
    classifier = keras.saving.load_model(tmp_path / "run" / "classifier.keras")
    return model, classifier


def test_weights_are_those_of_the_checkpoint(tmp_path):
    """At the published size see the next test and cnn14_test.py."""
    arrays = _small()
    model, classifier = _import(
        tmp_path, {"iteration": 600000, "model": arrays}
    )
    encoder = CNN14(None, 1 / 16, hidden_layer=True)
    scores = LinearClassifier(encoder.embedding_dim, CLASSES)
    load_panns_weights(encoder, arrays, scores)
    for imported, expected in ((model.encoder, encoder), (classifier, scores)):
        for ours, theirs in zip(
            imported.get_weights(), expected.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.long
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


@pytest.mark.parametrize(
    "rate_hz, seconds", [(32000, 10.0), (16000, 1.5), (8000, 10.0)]
)
def test_each_published_rate_is_found(rate_hz, seconds, tmp_path, capsys):
    model, classifier = _import(
        tmp_path, _small(rate_hz), window_seconds=seconds
    )
    assert model.sample_rate_hz == rate_hz
    assert model.get_config()["frontend"] == "panns"
    assert model.window_samples == seconds * rate_hz
    assert model.window_hop_samples == seconds * rate_hz / 2
    assert (model.embedding_dim, classifier.num_classes) == (128, CLASSES)
    described, *files = capsys.readouterr().out.splitlines()
    assert f"at {rate_hz} Hz" in described and "5 classes" in described
    assert [file.split("/")[-1] for file in files] == [
        "embedding_model.keras",
        "classifier.keras",
    ]


def test_run_directory_says_what_it_is_and_is_kept(tmp_path):
    _import(tmp_path, _small())
    run = tmp_path / "run"
    config = run_directory.read(run, "import_panns")["config"]
    assert config["checkpoint"] == str(tmp_path / "c.pth")
    before = (run / "embedding_model.keras").stat().st_mtime_ns
    (tmp_path / "c.pth").unlink()
    import_panns(ImportConfig(str(tmp_path / "c.pth"), str(run)))
    assert (run / "embedding_model.keras").stat().st_mtime_ns == before
    (tmp_path / "d.pth").write_bytes(b"another")
    with pytest.raises(UserError, match="--checkpoint held something else"):
        import_panns(ImportConfig(str(tmp_path / "d.pth"), str(run)))


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
    told = "is for 16000 Hz, not for --sample_rate_hz=8000"
    with pytest.raises(UserError, match=told):
        _import(tmp_path / "other", _small(), sample_rate_hz=8000)


def _with(name, array):
    return {**_small(), name: array}


KERNEL = "conv_block1.conv1.weight"
REFUSED = {
    "no state dict": ({"model": {"weight": np.ones(3)}}, "c.pth has no conv"),
    "another kernel": (_with(KERNEL, np.ones((4, 3))), "of four axes"),
    "no classifier": (_with("fc_audioset.weight", np.ones(5)), "or no fc_aud"),
    "another spectrogram": (
        _with("logmel_extractor.melW", np.ones((201, 64))),
        "has 201 bins, which is of no published Cnn14: they are for 32000 Hz",
    ),
    "another mel scale": (
        _with(
            "logmel_extractor.melW",
            PANNsLogMel(16000, low_hz=60.0).mel_matrix,
        ),
        r"melW, of shape \(257, 64\), differs .* 16000 Hz, .* another front",
    ),
    "wider": (
        _with(KERNEL, np.ones((65, 1, 3, 3))),
        "has 65 channels: a Cnn14 has 64",
    ),
    "another shape": (
        _with("fc1.weight", np.ones((6, 128))),
        r"of no Cnn14: fc1.weight has shape \(6, 128\) .*, \(128, 128\) in",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_published_cnn14_is_refused(case, tmp_path):
    value, told = REFUSED[case]
    with pytest.raises(UserError, match=told):
        _import(tmp_path, value)
    assert [path.name for path in tmp_path.iterdir()] == ["c.pth"]
