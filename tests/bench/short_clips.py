"""What fills the window of a clip that is shorter: what retrieval says.

  python -m tests.bench.short_clips --encoder=RUN --shards=SHARDS

Of each labeled clip of --split the loudest excerpt is the query, and the clips
of its class among the others are to be found: mean average precision, for
windows that are filled with zeros, with the excerpt mirrored, and repeated.
"""

import numpy as np
from absl import app, flags

from tests.bench import machine

SECONDS = (0.025, 0.1, 0.25, 0.5, 0.75)
FILLS = {
    "zeros": lambda x, size: np.pad(x, (0, size - len(x))),
    "mirrored": lambda x, size: np.pad(x, (0, size - len(x)), "symmetric"),
    "repeated": lambda x, size: np.resize(x, size),
}

_ENCODER = flags.DEFINE_string("encoder", None, "run directory")
_SHARDS = flags.DEFINE_string("shards", None, "folder of labeled shards")
_SPLIT = flags.DEFINE_string("split", "eval", "of these clips")


def loudest(audio: np.ndarray, size: int) -> np.ndarray:
    """The excerpt of most energy."""
    energy = np.convolve(audio**2, np.ones(size), "valid")
    first = int(energy.argmax())
    return audio[first : first + size]


def main(_) -> None:
    from data.shards import example_schema
    from data.shards.dataset_info import DatasetInfo
    from data.shards.record_index import RecordIndex
    from data.shards.record_reader import examples_in_order
    from evaluate.embeddings.clip_embeddings import decode_clip
    from evaluate.embeddings.encoders import load_encoders
    from evaluate.similarity.nearest_neighbors import (
        cosine_similarity,
        unit_rows,
    )
    from models.metrics.average_precision import average_precision

    info = DatasetInfo.load(_SHARDS.value)
    [encoder] = load_encoders([_ENCODER.value])

    def to_clip(record):
        clip, audio = decode_clip(record, info)
        return clip[example_schema.LABELS], audio

    index = RecordIndex.of(info, [_SPLIT.value])
    labels, clips = zip(*examples_in_order(index, to_clip, list), strict=True)
    whole = np.stack(
        [encoder.encode(encoder.cut_windows(x).numpy()).mean(0) for x in clips]
    )

    def score(queries: np.ndarray) -> float:
        similarity = cosine_similarity(unit_rows(queries), unit_rows(whole))
        found = []
        for query, of_query in enumerate(labels):
            others = np.arange(len(clips)) != query
            right = [bool(set(of_query) & set(other)) for other in labels]
            right = np.array(right, np.uint8)[others]
            found.append(average_precision(right, similarity[query][others]))
        return float(np.mean(found))

    print(f"{machine.description()}\nwhole clips: {score(whole):.3f}")
    for seconds in SECONDS:
        size = round(seconds * info.sample_rate_hz)
        excerpts = [loudest(audio, size) for audio in clips]
        told = []
        for name, fill in FILLS.items():
            windows = [fill(x, encoder.model.window_samples) for x in excerpts]
            scored = score(encoder.encode(np.stack(windows)))
            told.append(f"{name} {scored:.3f}")
        print(f"{seconds * 1000:g} ms: " + ", ".join(told))


if __name__ == "__main__":
    app.run(main)
