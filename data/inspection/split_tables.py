"""An inspection's numbers as tables."""

from data.inspection.scan import Inspection
from data.inspection.split_statistics import SplitStatistics
from data.jobs.progress import duration
from data.page.table import Cell, Table, grid, number, share


def splits_table(inspection: Inspection) -> Table:
    """One column a split."""

    def column(split: str, found: SplitStatistics) -> dict[str, Cell]:
        shards = inspection.info.splits[split]
        megabytes = sum(shard.num_bytes for shard in shards) / 1e6
        silent = f"silent, below {found.silence_db:g} dBFS RMS"
        return {
            "clips": number(found.clips),
            "length": Cell(found.seconds, duration(found.seconds)),
            "shortest clip": number(found.shortest_s, ".4g", " s"),
            "longest clip": number(found.longest_s, ".4g", " s"),
            "shards": number(len(shards)),
            "on disk": number(megabytes, ",.1f", " MB"),
            "labeled": share(found.labeled, found.clips),
            "labels a clip": number(found.mean_labels, ".2f"),
            "mean level, dBFS RMS": number(found.rms.mean_db, ".2f"),
            silent: share(found.silent, found.clips),
            "clipped": share(found.clipped, found.clips),
            "records that cannot be used": number(found.bad_records.total()),
        }

    columns = {name: column(name, s) for name, s in inspection.splits.items()}
    names = list(next(iter(columns.values())))
    return grid("What each split holds", "", names, columns, dict.get)


def labels_table(inspection: Inspection) -> Table:
    """Clips with 0, 1, 2, ... labels; one column a split."""
    found = inspection.splits.values()
    return grid(
        "Clips by their number of labels",
        "labels",
        sorted(set().union(*(split.labels_per_clip for split in found))),
        inspection.splits,
        lambda split, count: share(split.labels_per_clip[count], split.clips),
    )


def classes_table(inspection: Inspection) -> Table:
    """Clips of every class, most frequent first; one column a split."""
    return grid(
        f"{len(inspection.info.class_names)} classes, with their clips",
        "class",
        [name for name, _ in ranked_classes(inspection)],
        inspection.splits,
        lambda split, name: share(split.class_clips[name], split.clips),
    )


def ranked_classes(inspection: Inspection) -> list[tuple[str, int]]:
    """Every class and its clips, most frequent first."""
    counts = {
        name: sum(s.class_clips[name] for s in inspection.splits.values())
        for name in inspection.info.class_names
    }
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def bad_records_table(inspection: Inspection) -> Table:
    """Causes; one column a split."""
    found = inspection.splits.values()
    return grid(
        "Records that cannot be used",
        "cause",
        sorted(set().union(*(split.bad_records for split in found))),
        inspection.splits,
        lambda split, cause: number(split.bad_records[cause]),
    )


def channels_table(split: str, statistics: SplitStatistics) -> Table:
    """One row a channel of each processor."""
    columns = (
        "level re mixture, dB",
        f"nearly empty, below {statistics.silence_db:g} dBFS RMS",
        "digital silence",
    )
    rows = [
        (
            f"{name}, channel {place + 1}",
            "",
            (
                number(relative.mean_db, ".2f"),
                share(processor.nearly_empty[place], processor.clips),
                share(processor.empty[place], processor.clips),
            ),
        )
        for name, processor in statistics.processors.items()
        for place, relative in enumerate(processor.relative)
    ]
    return Table(f"Channels in {split}", "channel", columns, rows)


def sums_table(split: str, statistics: SplitStatistics) -> Table:
    """One row a processor: how its channels add up."""
    caption = f"Sum of the channels less the mixture in {split}"
    columns = ("largest, LSB", "clips beyond rounding")
    rows = [
        (
            name,
            processor.largest_deviation[1],
            (
                number(processor.largest_deviation[0]),
                number(processor.deviating),
            ),
        )
        for name, processor in statistics.processors.items()
    ]
    return Table(caption, "processor", columns, rows)
