"""An inspection's numbers as tables."""

from collections.abc import Callable

from data.inspection.scan import Inspection
from data.inspection.split_statistics import SplitStatistics
from data.page.html_page import Cell, Row, Table
from data.run.progress import duration


def splits_table(inspection: Inspection) -> Table:
    """One column a split."""
    found = list(inspection.splits.values())
    shards = [inspection.info.splits[split] for split in inspection.splits]
    silence_db = found[0].silence_db

    def row(name: str, cell: Callable[[SplitStatistics], Cell]) -> Row:
        return Row(name, "", tuple(cell(split) for split in found))

    def share_row(name: str, count: Callable[[SplitStatistics], int]) -> Row:
        return row(name, lambda split: share(count(split), split.clips))

    return Table(
        "What each split holds",
        "",
        tuple(inspection.splits),
        (
            row("clips", lambda split: _count(split.clips)),
            row(
                "length",
                lambda split: Cell(split.seconds, duration(split.seconds)),
            ),
            row("shortest clip", lambda split: _seconds(split.shortest_s)),
            row("longest clip", lambda split: _seconds(split.longest_s)),
            Row("shards", "", tuple(_count(len(files)) for files in shards)),
            Row(
                "on disk",
                "",
                tuple(
                    _megabytes(sum(shard.num_bytes for shard in files))
                    for files in shards
                ),
            ),
            share_row("labeled", lambda split: split.labeled),
            row("labels a clip", lambda split: _plain(split.mean_labels)),
            row(
                "mean level, dBFS RMS", lambda split: _plain(split.rms.mean_db)
            ),
            share_row(
                f"silent, below {silence_db:g} dBFS RMS",
                lambda split: split.silent,
            ),
            share_row("clipped", lambda split: split.clipped),
            row(
                "records that cannot be used",
                lambda split: _count(split.bad_records.total()),
            ),
        ),
    )


def labels_table(inspection: Inspection) -> Table:
    """Clips with 0, 1, 2, ... labels; one column a split."""
    found = list(inspection.splits.values())
    counts = sorted(set().union(*(split.labels_per_clip for split in found)))
    return Table(
        "Clips by their number of labels",
        "labels",
        tuple(inspection.splits),
        tuple(
            Row(
                str(count),
                "",
                tuple(
                    share(split.labels_per_clip[count], split.clips)
                    for split in found
                ),
            )
            for count in counts
        ),
    )


def classes_table(inspection: Inspection) -> Table:
    """Clips of every class, most frequent first; one column a split."""
    found = list(inspection.splits.values())
    return Table(
        f"{len(inspection.info.class_names)} classes, with their clips",
        "class",
        tuple(inspection.splits),
        tuple(
            Row(
                name,
                "",
                tuple(
                    share(split.class_clips[name], split.clips)
                    for split in found
                ),
            )
            for name, _ in ranked_classes(inspection)
        ),
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
    found = list(inspection.splits.values())
    causes = sorted(set().union(*(split.bad_records for split in found)))
    return Table(
        "Records that cannot be used",
        "cause",
        tuple(inspection.splits),
        tuple(
            Row(
                cause,
                "",
                tuple(_count(split.bad_records[cause]) for split in found),
            )
            for cause in causes
        ),
    )


def channels_table(split: str, statistics: SplitStatistics) -> Table:
    """One row a channel of each processor."""
    return Table(
        f"Channels in {split}",
        "channel",
        (
            "level re mixture, dB",
            f"nearly empty, below {statistics.silence_db:g} dBFS RMS",
            "digital silence",
        ),
        tuple(
            Row(
                f"{name}, channel {number + 1}",
                "",
                (
                    _plain(relative.mean_db),
                    share(processor.nearly_empty[number], processor.clips),
                    share(processor.empty[number], processor.clips),
                ),
            )
            for name, processor in statistics.processors.items()
            for number, relative in enumerate(processor.relative)
        ),
    )


def sums_table(split: str, statistics: SplitStatistics) -> Table:
    """One row a processor: how its channels add up."""
    return Table(
        f"Sum of the channels less the mixture in {split}",
        "processor",
        (
            "largest, LSB",
            "clips beyond rounding",
        ),
        tuple(
            Row(
                name,
                processor.largest_deviation_clip,
                (
                    _count(processor.largest_deviation_lsb),
                    _count(processor.deviating),
                ),
            )
            for name, processor in statistics.processors.items()
        ),
    )


def share(count: int, total: int) -> Cell:
    """A count, with its share of `total` and a bar for that."""
    percent = 100 * count / max(total, 1)
    return Cell(count, f"{count:,} ({percent:.3g} %)", bar=percent)


def _count(value: int) -> Cell:
    return Cell(value, f"{value:,}")


def _plain(value: float | None) -> Cell:
    if value is None:
        return Cell(None, "–")
    return Cell(value, f"{value:.2f}".replace("-", "−"))


def _seconds(value: float | None) -> Cell:
    return Cell(value, "–" if value is None else f"{value:.4g} s")


def _megabytes(num_bytes: int) -> Cell:
    return Cell(num_bytes, f"{num_bytes / 1e6:,.1f} MB")
