"""A resumable job over recordings: each becomes a file of embeddings."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import soxr

from data.audio import sound_file
from data.audio.audio_header import AudioHeader, AudioRejected
from data.jobs.decoder_pool import Item
from data.jobs.decoding_jobs import DecodingJobs
from data.run import content
from data.run.errors import UserError
from data.run.rejects import Rejected
from data.sources.recording_files import Recording
from evaluate.embeddings.encoders import Representation
from evaluate.recordings import window_file
from evaluate.recordings.window_cutter import WindowCutter
from evaluate.recordings.window_file import WindowFile
from models.embedding_model import EmbeddingModel
from models.numerics.valid_waveform import WHY_NOT, is_valid

# Decoded at once.
_BLOCK_S = 60
# Windows encoded at once where a recording has few left.
_FEW_WINDOWS = 8


@dataclasses.dataclass(frozen=True)
class RecordingTask:
    """One recording to embed; see `shard_jobs.Task`.

    Attributes:
      shard: name of the file of embeddings.
      num_items: blocks that it is decoded in.
      key: digest of all that the embeddings depend on.
      path: of the recording. Like its header it is in no fingerprint, so that
        what is moved keeps its embeddings.
    """

    shard: str
    num_items: int
    key: str
    path: str = dataclasses.field(repr=False)
    header: AudioHeader = dataclasses.field(repr=False)

    def items(self) -> Iterator[Item]:
        """Blocks, each decoded in another process."""
        length = _block_frames(self.header)
        for number in range(self.num_items):
            first = number * length
            yield (
                f"{self.path} from frame {first}",
                functools.partial(
                    sound_file.read_piece, self.path, self.header, first, length
                ),
            )


def run(
    encoder: Representation,
    hop: int,
    root: str,
    recordings: Sequence[Recording],
    folder: pathlib.Path,
    index_file: str,
    jobs: DecodingJobs,
) -> list[dict]:
    """Writes a `WindowFile` for each recording that has none in `folder`.

    Recordings of the same content share one.

    Args:
      encoder: what encodes.
      hop: between the starts of windows, at the encoder's rate.
      root: folder of the recordings.
      recordings: with `header` and `digest`.
      folder: where the files go.
      index_file: as of `shard_jobs.run`.
      jobs: what decodes.

    Returns:
      For each recording, in that order, its account: `shard` (name of the
      file), `windows`, and `rejected`: kind and reason, where it cannot be
      used; else None.

    Raises:
      UserError: an embedding is not finite.
    """
    tasks = [_task(encoder, hop, root, recording) for recording in recordings]
    accounts = jobs.run(
        "embed",
        functools.partial(_write, encoder=encoder, hop=hop),
        list({task.shard: task for task in tasks}.values()),
        folder,
        unit="blocks",
        index_file=index_file,
    )
    account_of = {account["shard"]: account for account in accounts}
    return [account_of[task.shard] for task in tasks]


def hop_samples(model: EmbeddingModel, hop_seconds: float | None) -> int:
    """Between the starts of windows; None: that of the model.

    Raises:
      UserError: windows would leave sound out.
    """
    if hop_seconds is None:
        return model.window_hop_samples
    samples = round(hop_seconds * model.sample_rate_hz)
    if not 0 < samples <= model.window_samples:
        window_s = model.window_samples / model.sample_rate_hz
        raise UserError(
            f"--hop_seconds={hop_seconds:g}: it must be above 0, and at most "
            f"the encoder's window of {window_s:g} s"
        )
    return samples


def _task(
    encoder: Representation, hop: int, root: str, recording: Recording
) -> RecordingTask:
    facts = [window_file.VERSION, encoder.identity, hop]
    key = content.value_sha256([*facts, recording.digest])
    header = recording.header
    return RecordingTask(
        f"{key[:32]}.npz",
        -(-header.num_frames // _block_frames(header)),
        key,
        os.path.abspath(os.path.join(root, recording.path)),
        header,
    )


def _block_frames(header: AudioHeader) -> int:
    """Frames decoded at once: all, where each block would begin anew."""
    if header.by_libsndfile or header.can_seek:
        return _BLOCK_S * header.sample_rate_hz
    return header.num_frames


def _write(
    task: RecordingTask,
    path: pathlib.Path,
    pieces: Iterator[sound_file.Piece | Rejected],
    encoder: Representation,
    hop: int,
) -> dict:
    try:
        file = _embedded(task, pieces, encoder, hop)
        rejected = None
    except AudioRejected as error:
        file = WindowFile.empty(encoder.model)
        rejected = error.kind, error.reason
        for _ in pieces:  # What else is decoded of it has to be taken.
            pass
    file.save(path)
    return {"windows": len(file.vectors), "rejected": rejected}


def _embedded(
    task: RecordingTask,
    pieces: Iterator[sound_file.Piece | Rejected],
    encoder: Representation,
    hop: int,
) -> WindowFile:
    model, num_samples = encoder.model, 0
    cutter = WindowCutter(model.window_samples, hop)
    starts, vectors, waiting = [], [], []
    for block in _resampled(pieces, task.header, model.sample_rate_hz):
        if len(block) and not is_valid(block):
            raise AudioRejected("not_valid", WHY_NOT)
        num_samples += len(block)
        of_block, windows = cutter.add(block)
        starts.append(of_block)
        waiting = np.concatenate([*waiting, windows])
        if full := len(waiting) // encoder.batch_windows:
            full *= encoder.batch_windows
            vectors.append(encoder.encode(waiting[:full]))
        waiting = [waiting[full:]]
    if not num_samples:
        raise AudioRejected("empty", WHY_NOT)
    last, window = cutter.end()
    starts.append(last)
    rest = np.concatenate([*waiting, window])
    vectors.append(encoder.encode(rest, _FEW_WINDOWS))
    return WindowFile(
        model.sample_rate_hz,
        num_samples,
        model.window_samples,
        np.concatenate(starts),
        np.concatenate(vectors),
    )


def _resampled(
    pieces: Iterator[sound_file.Piece | Rejected],
    header: AudioHeader,
    sample_rate_hz: int,
) -> Iterator[np.ndarray]:
    """Blocks that joined are what all of it is, resampled at once.

    Raises:
      AudioRejected: a piece is.
    """
    rate_hz, length = header.sample_rate_hz, _block_frames(header)
    stream = soxr.ResampleStream(rate_hz, sample_rate_hz, 1, dtype="float32")
    left = header.num_frames
    for piece in pieces:
        if isinstance(piece, Rejected):
            raise AudioRejected(piece.kind, piece.reason)
        audio, left = piece.audio, left - length
        if left > 0 and len(audio) < length:
            # Of damaged sound: what follows stays at its time.
            audio = np.pad(audio, (0, length - len(audio)))
        if rate_hz != sample_rate_hz:
            audio = stream.resample_chunk(audio, last=left <= 0)
        yield audio
