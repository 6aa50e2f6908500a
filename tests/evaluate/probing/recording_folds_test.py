import numpy as np

from evaluate.probing import label_draws, recording_folds
from evaluate.probing.recording_folds import recordings_of


def test_names_of_recordings():
    ids = ["a.wav", "a.wav#1.000", "b#2.wav", "b#2.wav#10.500", "1-77-A.wav"]
    assert recordings_of(ids) == [
        "a.wav",
        "a.wav",
        "b#2.wav",
        "b#2.wav",
        ids[4],
    ]
    found = recordings_of(ids, r"^\d-(\d+)-")
    assert found == [*ids[:4], "77"]
    assert recording_folds.numbered(["b", "a", "b"]).tolist() == [1, 0, 1]


def toy(clips=200, classes=4, of_recording=2):
    random = np.random.default_rng(0)
    recordings = np.arange(clips) // of_recording
    labels = random.random((clips, classes)) < [0.5, 0.2, 0.1, 0.05]
    # Clips of a recording are alike.
    return labels[recordings * of_recording], recordings


def test_a_recording_is_on_one_side_and_each_fold_has_every_class():
    labels, recordings = toy()
    folds = [*recording_folds.recording_folds(labels, recordings, seed=0)]
    assert len(folds) == 5
    held_out = np.concatenate([held for _, held in folds])
    assert sorted(held_out) == [*range(200)]
    for rows, held in folds:
        assert not set(recordings[rows]) & set(recordings[held])
        assert len(rows) + len(held) == 200
        # The rarest class is dealt evenly: 2 clips a recording.
        share = labels[:, 3].sum() / 5
        assert abs(labels[held, 3].sum() - share) <= 2
    again = [*recording_folds.recording_folds(labels, recordings, seed=1)]
    assert any(
        a[1].tolist() != b[1].tolist()
        for a, b in zip(folds, again, strict=True)
    )


def test_few_recordings_and_many_clips():
    labels, _ = toy(6)
    folds = recording_folds.recording_folds(
        labels, np.array([0, 0, 0, 1, 1, 2]), 0
    )
    assert sorted(len(held) for _, held in folds) == [1, 2, 3]
    one = recording_folds.recording_folds(labels, np.zeros(6, int), 0)
    assert not [*one]
    labels = np.ones((6000, 1), bool)
    folds = recording_folds.recording_folds(labels, np.arange(6000), 0)
    # 1,200 each: two of them hold out 2,000.
    assert [len(held) for _, held in folds] == [1200, 1200]


def test_each_class_keeps_a_clip_and_shares_are_kept():
    labels = np.zeros((1000, 5), bool)
    labels[:900, 0] = labels[900:, 1] = True
    labels[3, 2] = labels[950:953, 3] = True
    for fraction, count in ((0.002, 2), (0.01, 10), (0.5, 500), (1.0, 1000)):
        drawn = label_draws.draw(labels, fraction, seed=4)
        assert len(drawn) == len(set(drawn)) == count
        assert labels[drawn].any(axis=0).tolist() == [1, 1, 1, 1, 0]
        np.testing.assert_array_equal(
            drawn, label_draws.draw(labels, fraction, 4)
        )
    assert (
        label_draws.draw(labels, 0.1, 5).tolist()
        != label_draws.draw(labels, 0.1, 6).tolist()
    )
