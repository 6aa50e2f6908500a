"""Folds of the training clips: a recording is on one side of each."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

# Ours: a clip that was cut from a recording has its start after "#".
WHOLE_ID = r"^(.*?)(?:#\d+\.\d{3})?$"

FOLDS = 5
# Clips held out, of all folds together, that are enough to choose by.
_ENOUGH = 2000


def recordings_of(
    clip_ids: Sequence[str], pattern: str = WHOLE_ID
) -> list[str]:
    """The recording of each clip.

    Args:
      clip_ids: of clips.
      pattern: a regular expression, whose first group names the recording
        where it is found in an id; elsewhere a clip is one by itself.
    """
    found = map(re.compile(pattern).search, clip_ids)
    return [
        match[1] if match else clip_id
        for match, clip_id in zip(found, clip_ids, strict=True)
    ]


def numbered(names: Sequence[str]) -> np.ndarray:
    """Each name as a number, (n,), equal where names are."""
    return np.unique(np.asarray(names, np.str_), return_inverse=True)[1]


def recording_folds(
    labels: np.ndarray, recordings: np.ndarray, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Clips to train on and clips held out, of each fold.

    Five folds, or one for each recording where there are fewer. Recordings are
    dealt in turn, in the order of their rarest class and drawn within it, so
    that each fold has its share of every class. No more folds are given than
    hold out 2,000 clips (our choice), for their time.

    Args:
      labels: (n, C), multi-hot.
      recordings: (n,), numbers from 0.
      seed: of the order.

    Yields:
      Two arrays of clips.
    """
    count = recordings.max() + 1
    folds = min(FOLDS, count)
    if folds < 2:
        return
    # Unlabeled recordings come after all classes.
    rank = np.argsort(np.argsort(labels.sum(axis=0), kind="stable"))
    rarest = np.where(labels != 0, rank, labels.shape[1]).min(axis=1)
    of_recording = np.full(count, labels.shape[1])
    np.minimum.at(of_recording, recordings, rarest)
    drawn = np.random.default_rng(seed).permutation(count)
    order = drawn[np.argsort(of_recording[drawn], kind="stable")]
    fold_of = np.empty(count, int)
    fold_of[order] = np.arange(count) % folds
    held_out = 0
    for fold in range(folds):
        is_held = fold_of[recordings] == fold
        yield np.flatnonzero(~is_held), np.flatnonzero(is_held)
        held_out += np.count_nonzero(is_held)
        if held_out >= _ENOUGH:
            return
