import numpy as np
import pytest
import soundfile

from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate import search
from evaluate.measures import clip_search
from evaluate.recordings import query_sound
from tests.data.sound_files import write
from tests.evaluate.entry_point_runs import call_main
from tests.evaluate.toy_runs import (
    RATE_HZ,
    toy_clip,
    write_toy_run,
    write_toy_shards,
)

TRAIN = [(1.0, (0,)), (2.0, (1,)), (1.5, (2,))]
EVAL = [(1.0, (0, 1)), (3.0, ()), (1.2, (1,))]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    write_toy_shards(folder / "shards", {"train": TRAIN, "eval": EVAL})
    write_toy_run(folder / "run", folder / "shards")
    return folder


def query_file(toy, name, number):
    path = toy / name
    audio = toy_clip(number, *(TRAIN + EVAL)[number])
    soundfile.write(path, audio, RATE_HZ, subtype="PCM_16")
    return str(path)


def found_by(toy, query, splits=("eval", "train"), top=10):
    audio = query_sound.read(query, RATE_HZ)
    info = DatasetInfo.load(toy / "shards")
    return clip_search.search(audio, str(toy / "run"), info, splits, top)


def test_a_clip_of_the_collection_finds_itself_first(toy):
    found = found_by(toy, query_file(toy, "query.wav", 3))
    assert found[0].clip_id == "eval/3"
    similarities = [clip.similarity for clip in found]
    assert similarities[0] == pytest.approx(1, abs=1e-5)
    assert similarities == sorted(similarities, reverse=True)
    assert len(found) == 6


def test_splits_and_top_limit_the_answer(toy):
    query = query_file(toy, "query.wav", 1)
    found = found_by(toy, query, splits=("eval",), top=2)
    assert len(found) == 2
    assert {clip.clip_id[:5] for clip in found} == {"eval/"}


def test_a_recording_of_another_rate_and_channels_finds_itself(toy):
    audio = np.repeat(toy_clip(1, *TRAIN[1]), 2)  # Held samples: 32 kHz.
    path = toy / "stereo.flac"
    soundfile.write(path, np.stack([audio, audio], axis=1), 2 * RATE_HZ)
    assert found_by(toy, str(path), top=1)[0].clip_id == "train/1"


def test_a_query_that_is_not_valid_is_refused(toy):
    audio = toy_clip(1, *TRAIN[1])
    audio[100] = 1e30
    path = toy / "loud.wav"
    soundfile.write(path, audio, RATE_HZ, subtype="FLOAT")
    with pytest.raises(UserError, match="--query .* NaN, infinite or beyond"):
        found_by(toy, str(path), top=1)


def test_the_answer_is_a_table(toy, capsys):
    query = query_file(toy, "a 'query' <ü>.wav", 3)
    call_main(search, search.SearchConfig(query, 1, str(toy / "run")))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["rank", "cosine", "clip", "labels"]
    assert lines[2].split() == ["1", "1.000", "eval/3", "hum,", "hiss"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"no audio" * 9, "no sound file that FFmpeg knows"),
        (b"", "0 bytes"),
        ("folder", "a folder, not a file"),
        ("link", "a link to nowhere, which is not there"),
    ],
)
def test_refuses_a_query_that_is_not_audio(tmp_path, content, message):
    query = tmp_path / "query.wav"
    if content == "folder":
        query.mkdir()
    elif content == "link":
        query.symlink_to("nowhere")
    elif content is not None:
        query.write_bytes(content)
    with pytest.raises(UserError, match=f"--query=.*query.wav: .*{message}"):
        query_sound.read(str(query), RATE_HZ)


def test_a_query_that_is_cut_short_is_used_and_told(tmp_path, caplog):
    path = write(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:16044])
    with caplog.at_level("WARNING"):
        assert query_sound.read(str(path), 16000).size == 8000
    assert "0.50 s are there of the 1.00 s" in caplog.text
