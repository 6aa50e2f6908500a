"""The rows of a table: encoders, baselines, and models of others."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from absl import logging

from data.run import content
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings import encoder_runs, strangers
from evaluate.embeddings.baselines import make_baselines
from evaluate.embeddings.encoders import (
    ENCODER,
    Representation,
    load_encoders,
)
from evaluate.embeddings.heard_clips import has_heard
from evaluate.measures.comparison_config import ComparisonConfig


class Row(NamedTuple):
    """A row of the results.

    Attributes:
      name, kind, identity, encoder: as of a `Representation`; `encoder` may
        stand for several, see `encoder_runs.FOLD`.
      of_split: what encodes clips where a split is measured. It differs
        between splits where each has an encoder that never heard it.
      heard: splits measured that the encoder was pretrained on.
    """

    name: str
    kind: str
    identity: str
    encoder: str | None
    of_split: Mapping[str, Representation]
    heard: Sequence[str] = ()


def load_rows(
    config: ComparisonConfig, info: DatasetInfo, measured: Sequence[str]
) -> list[Row]:
    """Encoders, baselines and models of others, before a run directory is made.

    Tells of encoders that have heard what they are measured on.

    Args:
      config: names them.
      info: the shards.
      measured: the splits that are measured.

    Raises:
      UserError: an encoder or a baseline cannot be used, or an encoder is for
        another sample rate.
    """
    runs = encoder_runs.of_folds(config.encoder, measured)
    encoders = load_encoders(runs, info)
    encoder_of = dict(zip(runs, encoders, strict=True))
    rows = [
        _of_encoders(run, name, encoder_of, info, measured)
        for run, name in zip(
            config.encoder,
            encoder_runs.unique_names(config.encoder),
            strict=True,
        )
    ]
    others = [
        *make_baselines(config.baselines, encoders, config.seed),
        *strangers.load(config.saved_model, config.hear, encoders, info),
    ]
    rows += [
        Row(x.name, x.kind, x.identity, None, dict.fromkeys(measured, x))
        for x in others
    ]
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        raise UserError(f"two rows have one name: {', '.join(names)}")
    return rows


def _of_encoders(
    run: str,
    name: str,
    encoder_of: Mapping[str, Representation],
    info: DatasetInfo,
    measured: Sequence[str],
) -> Row:
    """The row of a run, or of one for each split."""
    run_of = {s: encoder_runs.of_folds([run], [s])[0] for s in measured}
    heard = [s for s, own in run_of.items() if has_heard(own, info, s)]
    if heard:
        logging.warning(
            "%s was pretrained on the sound of %s, which it is measured on",
            name,
            ",".join(heard),
        )
    of_split = {s: encoder_of[own] for s, own in run_of.items()}
    identities = dict.fromkeys(x.identity for x in of_split.values())
    if len(identities) == 1:
        [identity] = identities
    else:
        identity = content.value_sha256([*identities])
    return Row(name, ENCODER, identity, run, of_split, heard)
