"""TFRecord files given as recordings: told apart, since none can be used."""

import os

from data.dataset_info import DATASET_FILE
from data.user_error import UserError

SUFFIX = ".tfrecord"

_HEAD_BYTES = 1 << 16
# Keys of AudioSet's published SequenceExamples.
_EMBEDDING_KEYS = (b"video_id", b"audio_embedding")


def check(folder: str, file: str) -> None:
    """Raises `UserError` where one of our shards or AudioSet's records.

    Args:
      folder: the --input.
      file: a TFRecord file in it.
    """
    if os.path.exists(os.path.join(os.path.dirname(file), DATASET_FILE)):
        raise UserError(
            f"--input={folder} holds shards, as this program writes them "
            f"({file}): name the folder of recordings, or give this one to "
            "the later stages as --shards"
        )
    try:
        with open(file, "rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return  # Told as a file of another type.
    if all(key in head for key in _EMBEDDING_KEYS):
        raise UserError(
            f"--input={folder} holds AudioSet's published embeddings "
            f"({file}): 128 numbers a second from another network, and no "
            "audio to separate; name a folder with the sound of the videos"
        )
