"""An inspection as a few lines of text."""

from data.inspection.scan import Inspection
from data.inspection.split_tables import ranked_classes
from data.jobs.progress import duration
from data.run.csv_table import on_one_line

_SHOWN_CLASSES = 12


def summary(inspection: Inspection) -> str:
    """The main numbers; names from outside are made printable."""
    lines = []
    for split, found in inspection.splits.items():
        shards = inspection.info.splits[split]
        megabytes = sum(shard.num_bytes for shard in shards) / 1e6
        lines.append(
            f"{split}: {found.clips} clips, {duration(found.seconds)}, "
            f"{megabytes:.1f} MB, {len(shards)} shard{'s' * (len(shards) > 1)}"
        )
        if found.clips:
            lines += [
                f"  {found.shortest_s:.4g} to {found.longest_s:.4g} s; "
                f"{found.labeled} labeled, {found.mean_labels:.2f} labels a "
                "clip",
                f"  mean level {_decibel(found.rms.mean_db)} dBFS RMS; "
                f"{found.silent} silent, {found.clipped} clipped",
            ]
        for cause, count in sorted(found.bad_records.items()):
            lines.append(f"  records that cannot be used: {count} {cause}")
        for name, processor in found.processors.items():
            levels = [f"{_decibel(r.mean_db)} dB" for r in processor.relative]
            empty = processor.nearly_empty.sum()
            share = 100 * empty / max(1, processor.clips * len(levels))
            lines.append(
                f"  {name}: channels at {', '.join(levels)} re mixture, "
                f"{share:.3g} % nearly empty; sum off by up to "
                f"{processor.largest_deviation[0]} LSB"
            )
    if names := ranked_classes(inspection):
        shown = [f"{name} {clips}" for name, clips in names[:_SHOWN_CLASSES]]
        more = ["..."] if len(names) > _SHOWN_CLASSES else []
        lines.append(f"classes: {len(names)} ({', '.join(shown + more)})")
    if inspection.num_duplicates:
        first, splits = next(iter(inspection.duplicates.items()))
        lines.append(
            f"ids that several clips have: {inspection.num_duplicates}, as "
            f"{first} in {', '.join(splits)}"
        )
    return "\n".join(on_one_line(line) for line in lines)


def _decibel(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
