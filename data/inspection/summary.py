"""An inspection as a few lines of text."""

from collections.abc import Iterator

from data.inspection.scan import Inspection
from data.inspection.split_statistics import SplitStatistics
from data.inspection.split_tables import ranked_classes
from data.run.csv_table import printable
from data.run.progress import duration

_SHOWN_CLASSES = 12


def summary(inspection: Inspection) -> str:
    """The main numbers; names from outside are made printable."""
    lines = []
    for split, statistics in inspection.splits.items():
        lines += _split_lines(inspection, split, statistics)
    names = ranked_classes(inspection)
    if names:
        shown = [f"{name} {clips}" for name, clips in names[:_SHOWN_CLASSES]]
        more = ["..."] if len(names) > _SHOWN_CLASSES else []
        lines.append(f"classes: {len(names)} ({', '.join(shown + more)})")
    if inspection.num_duplicates:
        first, splits = next(iter(inspection.duplicates.items()))
        lines.append(
            f"ids that several clips have: {inspection.num_duplicates}, as "
            f"{first} in {', '.join(splits)}"
        )
    return "\n".join(printable(line) for line in lines)


def _split_lines(
    inspection: Inspection, split: str, found: SplitStatistics
) -> Iterator[str]:
    shards = inspection.info.splits[split]
    megabytes = sum(shard.num_bytes for shard in shards) / 1e6
    yield (
        f"{split}: {found.clips} clips, {duration(found.seconds)}, "
        f"{megabytes:.1f} MB, {len(shards)} shard{'s' * (len(shards) > 1)}"
    )
    if found.clips:
        yield (
            f"  {found.shortest_s:.4g} to {found.longest_s:.4g} s; "
            f"{found.labeled} labeled, {found.mean_labels:.2f} labels a clip"
        )
        yield (
            f"  mean level {_decibel(found.rms.mean_db)} dBFS RMS; "
            f"{found.silent} silent, {found.clipped} clipped"
        )
    for cause, count in sorted(found.bad_records.items()):
        yield f"  records that cannot be used: {count} {cause}"
    for name, processor in found.processors.items():
        channels = ", ".join(
            f"{_decibel(relative.mean_db)} dB"
            for relative in processor.relative
        )
        empty = processor.nearly_empty.sum()
        share = 100 * empty / max(1, processor.clips * len(processor.relative))
        yield (
            f"  {name}: channels at {channels} re mixture, {share:.3g} % "
            f"nearly empty; sum off by up to "
            f"{processor.largest_deviation_lsb} LSB"
        )


def _decibel(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
