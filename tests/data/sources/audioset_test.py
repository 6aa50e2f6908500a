import numpy as np
import pytest

from data.ingest import ingest_job
from data.run.errors import UserError
from data.sources import audioset, recording_files
from data.sources.recording_files import Segment
from tests.data.ingested import clips, rejects, starts
from tests.data.sound_files import tone, write
from tests.data.sources.manifests import found_of, touch
from tests.data.write_shards_test import config

HEAD = (
    "# Segments csv created Sun Mar  5 10:54:31 2017\n"
    "# num_ytids=3, num_segs=3, num_unique_labels=3, num_positive_labels=4\n"
    "# YTID, start_seconds, end_seconds, positive_labels\n"
)
CLASSES = (
    "index,mid,display_name\n"
    '1,/m/05zppz,"Male speech, man speaking"\n'
    "0,/m/09x0r,Speech\n"
    '2,/t/dd00088,"Gush"\n'
)
SPEECH, GUSH = "/m/09x0r", "/t/dd00088"


def row(video, start_s=30, end_s=None, mids=SPEECH):
    end_s = start_s + 10 if end_s is None else end_s
    return f'{video}, {start_s:.3f}, {end_s:.3f}, "{mids}"\n'


def read(tmp_path, classes=CLASSES, **tables):
    """The manifest of `tmp_path`/in, by tables of rows or whole tables."""
    (tmp_path / "class_labels_indices.csv").write_text(classes)
    files = []
    for name, text in tables.items():
        files.append(str(tmp_path / f"{name}_segments.csv"))
        text = text if text.startswith("#") else HEAD + text
        (tmp_path / f"{name}_segments.csv").write_bytes(text.encode())
    return audioset.read(
        str(tmp_path / "in"), files, str(tmp_path / "class_labels_indices.csv")
    )


def test_tables_are_read_as_published(tmp_path):
    touch(
        tmp_path / "in", "--4gqARaEJE.wav", "12345678901.wav", "_nan-1e5_00.wav"
    )
    touch(tmp_path / "in", "-0_30.000-_.wav")
    found = read(
        tmp_path,
        balanced_train=HEAD.replace("\n", "\r\n")
        + '--4gqARaEJE, 0.000, 10.000, "/m/09x0r,/t/dd00088"\r\n'
        + "12345678901, 30.000, 40.000, /t/dd00088\r\n"
        + "\r\n"
        + '_nan-1e5_00,30,39,"/t/dd00088, /m/05zppz"\r\n'
        + '-0_30-00000, 5.5, 15.5, "/m/09x0r"',
    )
    assert found_of(found) == {
        "--4gqARaEJE.wav": (("Gush", "Speech"), "train"),
        "12345678901.wav": (("Gush",), "train"),
        "_nan-1e5_00.wav": (("Gush", "Male speech, man speaking"), "train"),
    }
    times = [(r.segment.start_s, r.segment.end_s) for r in found.recordings]
    assert times == [(0, 10), (30, 40), (30, 39)]
    names = ("Speech", "Male speech, man speaking", "Gush")
    assert found.class_names == names
    [(name, kind, reason)] = found.missing
    assert (name, kind) == ("-0_30-00000_5.500", "missing")
    assert reason.endswith("train_segments.csv, line 8: no sound of it")
    assert found.counts["files_unused"] == 1


@pytest.mark.parametrize(
    "video, name, is_named",
    [
        ("_b-_3_40000", "some/where/Y_b-_3_40000.OGG", False),
        ("_b-_3_40000", "_b-_3_40000_ 30.000.wav", True),
        ("_b-_3_40000", "Y_b-_3_40000_000030.wav", True),
        ("_b-_3_40000", "_b-_3_40000_30000_40000.flac", True),
        ("_b-_3_40000", "Y_b-_3_40000_30.000-40.000.mp3", True),
        # The Y is the id's own.
        ("Yabcdefghij", "Yabcdefghij.wav", False),
        ("Yabcdefghik", "YYabcdefghik_30.wav", True),
    ],
)
def test_files_are_named_by_video_with_or_without_times(
    tmp_path, video, name, is_named
):
    touch(tmp_path / "in", name)
    found = read(tmp_path, eval=row(video))
    [recording] = found.recordings
    assert recording.path == name and recording.split == "eval"
    wanted = Segment(0, 10, True) if is_named else Segment(30, 40, True)
    assert recording.segment == wanted


def test_other_names_are_of_no_segment(tmp_path):
    names = (
        "_b-_3_4000.wav",
        "_b-_3_400000.wav",
        "_b-_3_40000_x.wav",
        "_b-_3_40000_31.wav",
        "_b-_3_40000_30.000_40.000_1.wav",
        "y_b-_3_40000.wav",
        "Y123456789_.wav",
        "b/00000000000.wav",  # Of two files the first counts.
    )
    touch(tmp_path / "in", *names, "a/00000000000.wav")
    touch(tmp_path / "in", "00000000000.jpg")  # After what sounds.
    videos = ("_b-_3_40000", "123456789_x", "0" * 11)
    found = read(tmp_path, train="".join(map(row, videos)))
    assert list(found_of(found)) == ["a/00000000000.wav"]
    assert found.counts["files_unused"] == len(names)
    missing = [name for name, _, _ in found.missing]
    assert missing == ["_b-_3_40000_30.000", "123456789_x_30.000"]


def test_several_segments_of_a_video(tmp_path):
    touch(tmp_path / "in", "aaaaaaaaaaa.wav", "aaaaaaaaaaa_90.wav")
    rows = [row("aaaaaaaaaaa", start_s) for start_s in (60, 30, 90, 65)]
    found = read(tmp_path, train="".join(rows))
    assert [(r.path, r.segment) for r in found.recordings] == [
        # The file cannot be both segments, so it is the video.
        ("aaaaaaaaaaa.wav", Segment(30, 40, False)),
        ("aaaaaaaaaaa.wav", Segment(60, 70, False)),
        ("aaaaaaaaaaa_90.wav", Segment(0, 10, True)),
    ]
    [(name, kind, reason)] = found.rejects
    assert (name, kind) == ("aaaaaaaaaaa.wav", "overlap")
    assert "at 65 s starts before the one at 60 s ends" in reason


def test_repeated_rows_are_joined_in_the_split_of_their_tables(tmp_path):
    touch(tmp_path / "in", *(f"{c * 11}.wav" for c in "abc"))
    found = read(
        tmp_path,
        balanced_train=row("a" * 11) * 2,
        unbalanced_train=row("a" * 11, mids=GUSH) + row("b" * 11),
        eval=row("c" * 11),
    )
    assert found_of(found) == {
        "aaaaaaaaaaa.wav": (("Gush", "Speech"), "train"),
        "bbbbbbbbbbb.wav": (("Speech",), "train"),
        "ccccccccccc.wav": (("Speech",), "eval"),
    }
    assert found.counts["repeated_rows"] == 2
    with pytest.raises(UserError, match="eval_segments.csv, line 4.*balanced"):
        read(tmp_path, balanced_train=row("a" * 11), eval=row("a" * 11))


def test_an_unknown_mid_is_refused(tmp_path):
    touch(tmp_path / "in", "aaaaaaaaaaa.wav", "bbbbbbbbbbb.wav")
    rows = row("b" * 11, mids=f"{GUSH},/m/none") + row("c" * 11, mids="/m/none")
    found = read(tmp_path, train=row("aaaaaaaaaaa") + rows)
    assert list(found_of(found)) == ["aaaaaaaaaaa.wav"]
    [(name, kind, reason)] = found.rejects
    assert (name, kind) == ("bbbbbbbbbbb.wav", "unknown_label")
    assert "line 5: label '/m/none' is not in --class_labels=" in reason
    assert [name for name, _, _ in found.missing] == ["ccccccccccc_30.000"]


GOOD = row("aaaaaaaaaaa")


@pytest.mark.parametrize(
    "text, message",
    [
        (HEAD, "segments.csv has no row"),
        (GOOD + "#NAME?, 0.000, 10.000, /m/1\n", "line 5: YTID is '#NAME.'"),
        (row("aaaaaaaaaa\u00e4"), "line 4: YTID is .*: an id of 11 letters"),
        (GOOD.replace("30", "x"), "line 4: start_seconds is 'x.000': seconds"),
        (GOOD.replace("30.000", "-1"), "line 4: start_seconds is '-1'"),
        (row("aaaaaaaaaaa", 30, 30), "line 4: .* starts at 30.000 s and ends"),
        (GOOD.replace(SPEECH, " , "), "line 4: positive_labels of .* is empty"),
        (
            "aaaaaaaaaaa, 0, 9, /m/1,/m/2\n",
            "line 4: more cells than the 4 wanted; quote",
        ),
        (row("z" * 11), "line 4 is of video zzzz.* has e.g. aaaaaaaaaaa.wav"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(tmp_path, text, message):
    touch(tmp_path / "in", "aaaaaaaaaaa.wav")
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path, train=text)
    assert str(caught.value).startswith(f"--segments={tmp_path}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "classes, message",
    [
        ("index,mid,name\n0,/m/1,x\n", "has no column 'display_name'"),
        (CLASSES.replace(GUSH, SPEECH), "line 4: the mid of 'Gush' is '/m/09"),
        (CLASSES.replace(GUSH, ""), "line 4: the mid of 'Gush' is empty"),
    ],
)
def test_wrong_class_labels_are_told(tmp_path, classes, message):
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path, classes, train=GOOD)
    assert str(caught.value).startswith("--class_labels=")


def test_published_embeddings_are_refused(tmp_path):
    record = tmp_path / "in" / "bal_train" / "-_.tfrecord"
    touch(record.parent, record.name)
    record.write_bytes(b"..\n\x08video_id\x12..\n\x0faudio_embedding\x12..")
    message = "--input=.*AudioSet's published embeddings .*-_.tfr.*no audio"
    with pytest.raises(UserError, match=message):
        read(tmp_path, train=GOOD)
    record.write_bytes(b"other records")
    with pytest.raises(UserError, match="no segment of it has sound in --inp"):
        read(tmp_path, train=GOOD)
    # Beside sound they are but files of another type.
    touch(tmp_path / "in", "aaaaaaaaaaa.wav", "b.wav")
    assert read(tmp_path, train=GOOD).others == ("bal_train/-_.tfrecord",)


def test_from_videos_to_shards_and_their_shards_are_no_input(tmp_path):
    """Tones of 100 Hz times the second, so that each second is known."""
    steps = np.concatenate([tone(1.0, 8000, 100.0 * (k + 1)) for k in range(9)])
    folder = tmp_path / "in"
    write(folder / "aaaaaaaaaaa.wav", steps, 8000)  # Two segments of a video.
    write(folder / "Ybbbbbbbbbbb.wav", steps, 8000)  # One.
    write(folder / "ccccccccccc.wav", steps[8000:32000], 8000)  # Alone.
    write(folder / "ddddddddddd_5.000.wav", steps[40000:], 8000)  # 1 s more.
    write(folder / "eeeeeeeeeee.wav", steps[:40000], 8000)  # Of no use.
    train = (
        row("aaaaaaaaaaa", 1, 4)
        + row("aaaaaaaaaaa", 5, 8, GUSH)
        + row("ccccccccccc", 2, 5, GUSH)
        + row("ddddddddddd", 5, 8)
        + row("eeeeeeeeeee", 4, 7)
        + row("fffffffffff", 0, 3)
    )
    (tmp_path / "train.csv").write_text(HEAD + train)
    (tmp_path / "eval.csv").write_text(HEAD + row("bbbbbbbbbbb", 3, 6))
    (tmp_path / "classes.csv").write_text(CLASSES)
    options = config(
        tmp_path,
        source="audioset",
        segments=(str(tmp_path / "train.csv"), str(tmp_path / "eval.csv")),
        class_labels=str(tmp_path / "classes.csv"),
        sample_rate_hz=8000,
        clip_seconds=3.0,
        max_bad_fraction=0.2,
    )
    info = ingest_job.run(options)
    assert info.summary["clips"] == {"eval": 1, "train": 4}
    assert info.summary["recordings"] == 5
    assert {name: kind for name, (kind, _) in rejects(tmp_path).items()} == {
        "eeeeeeeeeee.wav": "wrong_length",
        "fffffffffff_0.000": "missing",
    }
    # Id → start in the file, the seconds of `steps` in it, label.
    wanted = {
        "aaaaaaaaaaa.wav#1.000": (1, (1, 4), "Speech"),
        "aaaaaaaaaaa.wav#5.000": (5, (5, 8), "Gush"),
        "Ybbbbbbbbbbb.wav#3.000": (3, (3, 6), "Speech"),
        "ccccccccccc.wav": (0, (1, 4), "Gush"),
        "ddddddddddd_5.000.wav": (0, (5, 8), "Speech"),
    }
    found, starts_of = clips(info), starts(info)
    assert found.keys() == wanted.keys()
    for name, (start_s, (first, end), label) in wanted.items():
        audio, labels = found[name]
        assert labels == [label]
        assert starts_of[name] == (name.split("#")[0], start_s)
        sound = steps[8000 * first : 8000 * end]
        np.testing.assert_allclose(audio, sound, atol=1e-4)
    with pytest.raises(UserError, match="--input=.*out holds shards.*--shards"):
        recording_files.find_recordings(str(tmp_path / "out"))
