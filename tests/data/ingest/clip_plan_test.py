import dataclasses

import pytest

from data.ingest import clip_plan, ingest_plan
from data.ingest.ingest_config import IngestConfig
from data.run.errors import UserError
from data.sources.recording_files import Recording, Segment
from tests.data.sources.manifests import touch

RECORDING = Recording("a.wav")


@pytest.mark.parametrize(
    "seconds, hop_seconds, starts",
    [
        (3.0, 10.0, [0]),  # Shorter than a clip.
        (10.2, 10.0, [0]),  # The remainder is below min_seconds.
        (10.25, 10.0, [0, 10]),
        (17.0, 4.0, [0, 4, 8]),  # The third clip reaches the end.
        (31.0, 15.0, [0, 15, 30]),
    ],
)
def test_cuts(seconds, hop_seconds, starts):
    clips = clip_plan.cut(RECORDING, 0.0, seconds, 10.0, hop_seconds, 0.25)
    assert [clip.start_s for clip in clips] == starts
    ids = [f"a.wav#{start_s}.000" for start_s in starts]
    assert [c.clip_id for c in clips] == (ids if len(ids) > 1 else ["a.wav"])


def test_cuts_of_a_segment_stay_in_it():
    segment = Segment(30.0, 37.0, True)
    recording = dataclasses.replace(RECORDING, segment=segment)
    clips = clip_plan.cut(recording, 30.0, 37.0, 3.0, 2.5, 0.25)
    cuts = [(clip.start_s, clip.seconds, clip.clip_id) for clip in clips]
    assert cuts == [
        (30.0, 3.0, "a.wav#30.000"),
        (32.5, 3.0, "a.wav#32.500"),
        (35.0, 2.0, "a.wav#35.000"),
    ]
    [whole] = clip_plan.cut(recording, 30.0, 37.0, 8.0, 8.0, 0.25)
    assert (whole.seconds, whole.clip_id) == (7.0, "a.wav#30.000")


def test_drawn_share_is_exact_and_depends_on_name_and_seed_only():
    names = [f"{k}.wav" for k in range(101)]
    drawn = clip_plan.held_out(names, 0.25, seed=3)
    assert len(drawn) == 25 and drawn < set(names)
    assert drawn == clip_plan.held_out(names[::-1], 0.25, seed=3)
    assert drawn != clip_plan.held_out(names, 0.25, seed=4)


@pytest.mark.parametrize(
    "count, fraction, num_eval",
    [(1, 0.25, 0), (2, 0.01, 1), (2, 0.99, 1), (3, 0.0, 0), (3, 1.0, 3)],
)
def test_both_splits_get_one_where_they_can(count, fraction, num_eval):
    names = [str(k) for k in range(count)]
    assert len(clip_plan.held_out(names, fraction, seed=0)) == num_eval


def test_shuffled_is_a_permutation_of_seed_and_split():
    items = list(range(50))
    order = clip_plan.shuffled(items, 1, "train")
    assert sorted(order) == items
    assert order == clip_plan.shuffled(items, 1, "train")
    assert order != clip_plan.shuffled(items, 2, "train")
    assert order != clip_plan.shuffled(items, 1, "eval")


def test_deal_keeps_order_and_balances():
    dealt = clip_plan.deal(list(range(10)), "train", 4)
    assert dealt == [
        ("train-00000-of-00003.tfrecord", (0, 1, 2)),
        ("train-00001-of-00003.tfrecord", (3, 4, 5)),
        ("train-00002-of-00003.tfrecord", (6, 7, 8, 9)),
    ]
    assert clip_plan.deal([], "eval", 4) == []


def test_eval_folds_without_a_file_are_told(tmp_path):
    touch(tmp_path, "a.wav")
    table = tmp_path / "l.csv"
    table.write_text("filename,labels,fold\na.wav,x,1\nb.wav,x,2\n")
    config = IngestConfig(
        input=str(tmp_path), output="-", labels=str(table), eval_folds=("2",)
    )
    with pytest.raises(UserError, match="--eval_folds=2: .*no file of these"):
        ingest_plan.find_recordings(config)


def test_unlabeled_scenes_are_taken_from_train():
    config = IngestConfig(
        source="synthetic",
        output="-",
        num_clips=10,
        scene_seconds=0.25,
        unlabeled_fraction=0.4,
    )
    has_labels = {
        split: [bool(t.reader.read(c).labels) for t in tasks for c in t.clips]
        for split, tasks in ingest_plan.plan_scenes(config).tasks.items()
    }
    unlabeled = {"unlabeled": [False] * 3}
    assert has_labels == {"eval": [True] * 2, "train": [True] * 5} | unlabeled
