"""Places found, against a search by hand."""

import numpy as np
import pytest
import soundfile

from data.run.errors import UserError
from evaluate.recordings import query_sound
from evaluate.recordings.window_search import WindowSearch
from evaluate.recordings.window_store import WindowStore


@pytest.fixture
def store():
    random = np.random.default_rng(0)
    counts = [40, 1, 30, 7]
    starts = np.concatenate([0.5 * np.arange(count) for count in counts])
    names = [
        {"name": f"{n}.wav", "windows": c, "file": f"{n}.npz", "sha256": f"{n}"}
        for n, c in enumerate(counts)
    ]
    return WindowStore(
        {"recordings": names},
        np.repeat(np.arange(4), counts),
        starts,
        starts + 1.2,
        random.normal(size=(len(starts), 5)).astype("f4"),
    )


def by_hand(store, query, top, without=None):
    """One after the other, from the nearest on."""
    units = store.vectors / np.linalg.norm(store.vectors, axis=1)[:, None]
    cosines = units @ (query / np.linalg.norm(query))
    found = []
    for row in np.argsort(-cosines):
        place = store.recording[row], store.start_s[row], store.end_s[row]
        if place[0] != without and not any(
            place[0] == other[0] and place[1] < other[2] and other[1] < place[2]
            for other in found
        ):
            found.append(place)
    return found[:top]


@pytest.mark.parametrize("top", [1, 3, 10, 1000])
def test_the_nearest_that_do_not_overlap(store, top):
    random = np.random.default_rng(1)
    search = WindowSearch(store)
    for query in random.normal(size=(5, 5)):
        hits = search.nearest(query, top)
        found = [(int(h.file[0]), h.start_s, h.end_s) for h in hits]
        assert found == by_hand(store, query, top)
        assert [h.similarity for h in hits] == sorted(
            (h.similarity for h in hits), reverse=True
        )


def test_the_query_itself_can_be_passed_over(store):
    query = store.vectors[3]
    assert WindowSearch(store).nearest(query, 1)[0].start_s == 1.5
    hits = WindowSearch(store, without_sha256="0").nearest(query, 4)
    found = [(int(h.file[0]), h.start_s, h.end_s) for h in hits]
    assert found == by_hand(store, query, 4, without=0)


def test_of_nothing_nothing_is_found(store):
    for recording in store.index["recordings"]:
        recording["sha256"] = "same"
    search = WindowSearch(store, without_sha256="same")
    assert search.nearest(store.vectors[0], 3) == []


def test_a_part_of_a_recording_is_a_query(tmp_path):
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    file = tmp_path / "a#1-2.wav"
    soundfile.write(file, audio, 8000, subtype="FLOAT")
    whole = query_sound.read(str(file), 8000)
    np.testing.assert_allclose(whole, audio, atol=1e-7)
    part = query_sound.read(f"{file}#0.25-0.5", 8000)
    np.testing.assert_array_equal(part, whole[2000:4000])
    assert query_sound.file_of(f"{file}#0.25-0.5") == str(file)
    # A file may be called so.
    file.rename(tmp_path / "a#1-2")
    assert len(query_sound.read(str(tmp_path / "a#1-2"), 8000)) == 8000


@pytest.mark.parametrize(
    "part, told",
    [
        ("#1-2", "no more than 1.00 s"),
        ("#0.5-0.5", "ends before it starts"),
        ("#0.5-1.2.3", "there is no such file"),
        ("#-1-2", "there is no such file"),
    ],
)
def test_parts_that_are_not_there_are_told(tmp_path, part, told):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    with pytest.raises(UserError, match=told):
        query_sound.read(f"{tmp_path / 'a.wav'}{part}", 8000)
