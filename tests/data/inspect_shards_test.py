import base64
import dataclasses
import io
import json
import shutil

import numpy as np
import pytest
import soundfile

from data.audio import encoding
from data.inspect_shards import InspectConfig, inspect_shards
from data.inspection.scan import draw_clips
from data.jobs import decoder_process
from data.shards import shard_offsets
from data.shards.dataset_info import DatasetInfo, Shard
from tests.evaluate.toy_runs import damage
from tests.html_pages import Page, assert_refers_to_nothing_outside
from tests.script_process import FORK_SERVER
from tests.train.small_shards import RATE_HZ, write_shards

EVIL = "a \"quoted\" <script>alert(1)</script> & 'ñ' 鳥 {{ 7*7 }}"
CLASS_NAMES = (EVIL, "hiss", "tick", "never")
LSB = 1 / 32768


def sine(amplitude, seconds):
    # 125 Hz: a whole number of periods in every length used here.
    return amplitude * np.sin(
        2 * np.pi * 125 * np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    )


LOUD, QUIET = sine(0.5, 1.0), sine(0.0002, 0.4)
CLIPPED = np.clip(sine(1.5, 2.0), -1, 1)
SILENCE = np.zeros(RATE_HZ // 2)
# Labels and mixture; those of train lie in two shards, in turn. Both splits
# have clips of the names EVIL0 and EVIL1.
CLIPS = {
    "train": [
        ((0,), LOUD),
        ((2,), QUIET),
        ((), SILENCE),
        ((2,), 1 * QUIET),
        ((0, 1), CLIPPED),
    ],
    "eval": [((1,), sine(0.25, 0.8)), ((0, 2), LOUD)],
}


def halves(mixture):
    """Channels of B, in 16 bits: they add up but for what is put in here."""
    stored = encoding.to_int16(mixture).astype(np.float64) * LSB
    first = np.floor(stored / 2 / LSB) * LSB
    second = stored - first
    if mixture is QUIET:
        second = second + 7 * LSB
    return first, second


def write(folder, codec=encoding.PCM16, separated=True):
    splits = {"empty": ()}
    for split, clips in CLIPS.items():
        labels, mixtures = zip(*clips, strict=True)
        channels = {
            # A: all in the first channel.
            "A<b>": [(mixture, 0 * mixture) for mixture in mixtures],
            "B": list(map(halves, mixtures)),
        }
        info = write_shards(
            folder,
            mixtures,
            channels if separated else {},
            num_shards=len(clips) // 2,
            audio_format=codec,
            split=split,
            labels=labels,
            name=EVIL,
        )
        splits |= info.splits
    # Those of one split.
    (folder / shard_offsets.OFFSETS_FILE).unlink()
    dataclasses.replace(
        info,
        class_names=CLASS_NAMES,
        splits=splits,
        summary={"rejects": {EVIL: 3}},
    ).save()


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspect") / "shards"
    write(folder)
    return folder


def config(folder, page, **changes):
    options = {"shards": str(folder), "output": str(page), "workers": 1}
    return InspectConfig(**options | changes)


@pytest.fixture(scope="module")
def output(shards):
    page = shards.parent / "out" / "page.html"
    numbers = inspect_shards(config(shards, page, sample=7))
    assert numbers == shards.parent / "out" / "page.json"
    return page


@pytest.fixture(scope="module")
def numbers(output):
    return json.loads(output.with_suffix(".json").read_text("utf-8"))


@pytest.fixture(scope="module")
def page(output):
    return Page(output.read_text("utf-8"))


def test_clips_lengths_and_labels(numbers, shards):
    assert list(numbers["splits"]) == ["eval", "train"]
    train = numbers["splits"]["train"]
    wanted = {
        "shards": 2,
        "num_bytes": sum(f.stat().st_size for f in shards.glob("train-*")),
        "clips": 5,
        "seconds": 1.0 + 0.5 + 2.0 + 0.4 + 0.4,
        "shortest_s": 0.4,
        "longest_s": 2.0,
        "labeled": 4,
        "unlabeled": 1,
        "labels_per_clip": {"0": 1, "1": 3, "2": 1},
        "clips_per_class": {EVIL: 2, "hiss": 1, "tick": 2},
        "silent": 3,
        "clipped": 1,
        "bad_records": {},
    }
    assert {key: train[key] for key in wanted} == wanted
    assert numbers["splits"]["eval"]["labels_per_clip"] == {"1": 1, "2": 1}
    assert numbers["class_names"] == list(CLASS_NAMES)
    assert numbers["sample_rate_hz"] == RATE_HZ


def in_bins(histogram):
    """Lower edge of each bin that is not empty, and its count."""
    return {
        histogram["low_db"] + (place - 1) * histogram["bin_db"]: count
        for place, count in enumerate(histogram["counts"])
        if count
    }


def test_levels_are_those_of_the_sines(numbers):
    train = numbers["splits"]["train"]
    # 0.5 / sqrt(2): -9.03 dB. 0.0002: 7 of 32768, so -76.4 dB. The clipped one
    # is above a sine at full scale, -3.01 dB, and below a square, 0 dB.
    assert in_bins(train["rms_db"]) == {-12: 1, -78: 2, -3: 1}
    assert train["rms_db"]["digital_silence"] == 1
    assert in_bins(train["peak_db"]) == {-9: 1, -75: 2, 0: 1}
    levels = numbers["splits"]["eval"]["rms_db"]
    assert in_bins(levels) == {-18: 1, -12: 1}
    expected = 20 * np.log10([0.25, 0.5]).mean() - 10 * np.log10(2)
    assert levels["mean_db"] == pytest.approx(expected, abs=1e-3)


def test_channels_of_known_levels(numbers):
    train = numbers["splits"]["train"]["processors"]
    first, second = train["A<b>"]["channels"]
    # The silent mixture has no level to compare with.
    assert in_bins(first["relative_db"]) == {0: 4}
    assert first["relative_db"]["mean_db"] == pytest.approx(0, abs=1e-9)
    assert (first["nearly_empty"], first["empty"]) == (3, 1)
    assert second["relative_db"]["digital_silence"] == 4
    assert second["relative_db"]["mean_db"] is None
    assert (second["nearly_empty"], second["empty"]) == (5, 5)
    evaluated = numbers["splits"]["eval"]["processors"]["B"]["channels"]
    for channel in evaluated:
        mean_db = channel["relative_db"]["mean_db"]
        assert mean_db == pytest.approx(-6.02, abs=0.01)
        assert channel["nearly_empty"] == channel["empty"] == 0


def test_deviation_of_the_sum_from_the_mixture(numbers):
    found = numbers["splits"]["train"]["processors"]
    keys = "largest_deviation_lsb", "largest_deviation_clip", "sum_deviates"
    assert [found["A<b>"][key] for key in keys] == [0, "", 0]
    assert [found["B"][key] for key in keys] == [7, f"{EVIL}1", 1]


def test_ids_that_occur_twice_are_named_with_their_splits(numbers):
    assert numbers["duplicate_ids"] == 2
    named = {f"{EVIL}{number}": ["eval", "train"] for number in range(2)}
    assert numbers["duplicates"] == named


def test_page_shows_numbers_classes_and_clips_and_needs_nothing(output, page):
    text = output.read_text("utf-8")
    assert_refers_to_nothing_outside(text)
    assert "<script>alert" not in text and "A<b>" not in text
    assert {5, 2, 3, 7, 4.3, 0.4} <= {*page.values()}
    words = " ".join(page.texts)
    for text in (
        *CLASS_NAMES,
        f"{EVIL}4",
        "A<b>, channel 2",
        "2 (40 %)",
        "clip ids occur more",
    ):
        assert text in words
    # Two levels a split, one for each channel of each processor and split.
    assert page.count("figure", "class", "chart") == 2 * 2 + 2 * 4
    sounds = 7 * (1 + 4)
    assert page.count("img", "src", "data:image/png") == sounds
    assert page.count("audio", "data-sound") == sounds
    assert page.count("article", "class", "example") == 7


def test_players_hold_the_stored_samples(page):
    stored = {len(a): encoding.to_int16(a) for a in (CLIPPED, SILENCE)}
    for key, text in json.loads(page.scripts[0])["sounds"].items():
        sound = io.BytesIO(base64.b64decode(text))
        samples, rate_hz = soundfile.read(sound, dtype="int16")
        assert rate_hz == RATE_HZ
        if "/" not in key and len(samples) in stored:
            np.testing.assert_array_equal(samples, stored.pop(len(samples)))
    assert not stored


def test_two_processes_give_the_same(
    output, shards, tmp_path, capsys, monkeypatch
):
    # They need TensorFlow, and take 5 s each to import it anew.
    monkeypatch.setattr(
        decoder_process.multiprocessing, "get_context", lambda _: FORK_SERVER
    )
    page = tmp_path / "a" / "b.html"
    inspect_shards(config(shards, page, sample=7, workers=2))
    for file in page, page.with_suffix(".json"):
        assert file.read_bytes() == output.with_suffix(file.suffix).read_bytes()
    summary, progress = capsys.readouterr()
    for told in (
        "train: 5 clips, 4s, 0.7 MB, 2 shards",
        "3 silent, 1 clipped",
        "B: channels at ",
        "sum off by up to 7 LSB",
        f"ids that several clips have: 2, as {EVIL}0 in eval, train",
        f"page: {page}, numbers: {tmp_path / 'a' / 'b.json'}\n",
    ):
        assert told in summary
    assert "inspect: 7/7 clips (100%)" in progress


def test_flac_shards_without_channels_or_room_for_audio(tmp_path):
    write(tmp_path / "flac", encoding.FLAC, separated=False)
    output = tmp_path / "page.html"
    inspect_shards(config(tmp_path / "flac", output, audio_megabytes=0))
    numbers = json.loads(output.with_suffix(".json").read_text("utf-8"))
    assert numbers["splits"]["train"]["clipped"] == 1
    assert numbers["splits"]["train"]["processors"] == {}
    page = Page(output.read_text("utf-8"))
    assert page.count("audio") == 0
    assert page.count("article", "class", "example") == 7
    assert page.count("section") == 4


def test_records_that_cannot_be_used_are_counted_by_cause(
    shards, tmp_path, capsys
):
    shutil.copytree(shards, tmp_path / "shards")
    info = DatasetInfo.load(tmp_path / "shards")
    damage(info, "train", 2)
    # A dataset.json with fewer classes than the clips' labels.
    dataclasses.replace(info, class_names=CLASS_NAMES[:2]).save()
    output = tmp_path / "page.html"
    inspect_shards(config(tmp_path / "shards", output))
    numbers = json.loads(output.with_suffix(".json").read_text("utf-8"))
    train = numbers["splits"]["train"]
    assert train["bad_records"] == {"checksum": 1, "wrong_shape": 2}
    assert train["clips"] == 2 and train["rms_db"]["digital_silence"] == 1
    assert numbers["splits"]["eval"]["bad_records"] == {"wrong_shape": 1}
    # Of two; the other clips of the second one are bad.
    assert numbers["duplicate_ids"] == 1
    told = "records that cannot be used: 2 wrong_shape"
    assert told in capsys.readouterr().out
    words = " ".join(Page(output.read_text("utf-8")).texts)
    assert "Some records cannot be used" in words and "checksum" in words


def _shard(clips):
    return Shard(f"{clips}.tfrecord", clips, 1.0, 16 * clips, "", "")


def test_sample_is_drawn_evenly_and_by_the_seed(shards):
    info = dataclasses.replace(
        DatasetInfo.load(shards),
        splits={
            "few": (_shard(3),),
            "some": (_shard(400),),
            "many": (_shard(90), _shard(9999)),
        },
    )

    def draw(seed):
        drawn = draw_clips(info, ("many", "few", "some"), 24, seed)
        return {split: places.tolist() for split, places in drawn.items()}

    drawn = draw(3)
    sizes = {split: len(places) for split, places in drawn.items()}
    assert sizes == {"few": 3, "some": 10, "many": 11}
    for places in drawn.values():
        assert places == sorted({*places})
    assert drawn == draw(3) and drawn["many"] != draw(4)["many"]


def test_mistakes_are_told_before_anything_is_written(shards, tmp_path):
    page = tmp_path / "page.html"
    (tmp_path / "folder.html").mkdir()
    for options, message in (
        ({"splits": ("test",)}, "no split 'test'"),
        ({"splits": ("empty",)}, "empty has no clip"),
        ({"shards": str(tmp_path / "none")}, "does not exist"),
        ({"shards": ""}, "--shards is empty"),
        ({"output": str(tmp_path / "page")}, "ending in .html"),
        ({"output": str(tmp_path / "folder.html")}, "is a folder: name a file"),
        (
            {"output": str(shards / "dataset.html")},
            "its numbers would replace .*shards/dataset.json",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            inspect_shards(config(shards, page, **options))
    assert [path.name for path in tmp_path.iterdir()] == ["folder.html"]
