"""The tables of the WASPAA 2021 slides, to stand beside ours.

AudioSet's 527 classes, mAP of a shallow classifier on frozen embeddings. What a
slide leaves illegible has no number here.
"""

from data.page.table import Table, number

_FRONT_END = (
    ("mix vs mix", "", 0.248),
    ("mix vs mix", "SpecAugment", 0.265),
    ("mix vs chan", "", 0.272),
    ("mix vs chan", "SpecAugment", 0.282),
)
_PROCESSORS = (
    ("S2 (1.7M steps)", 0.282, 0.289),
    ("S1 (5k)", 0.283, 0.293),
    ("F (500)", 0.280, 0.297),
    ("N (0)", 0.286, 0.301),
    ("S2 or F", 0.283, None),
    ("S2 or N", 0.297, 0.306),
    ("S2 or F or N", 0.285, 0.310),
)
_SYSTEMS = (
    ("unsupervised triplet", "d = 128", 0.244),
    ("C³", "d = 128, audio and images", 0.285),
    ("separation-based", "d = 128", 0.310),
    ("separation-based", "d = 1024", 0.326),
    ("MMV", "d = 2048, audio and video", 0.309),
    ("multi-format", "d = 2048", 0.329),
)


def slides_tables() -> list[Table]:
    """Tables 2, 4 and 5."""
    return [
        Table(
            "Table 2: front end, by SimCLR",
            "comparison",
            ["mAP"],
            [(name, how, [_shown(value)]) for name, how, value in _FRONT_END],
        ),
        Table(
            "Table 4: processors of mix vs chan, with SpecAugment",
            "processors",
            ["SimCLR", "SimCLR and CP"],
            [
                (name, "", [*map(_shown, values)])
                for name, *values in _PROCESSORS
            ],
        ),
        Table(
            "Table 5: previous work",
            "system",
            ["mAP"],
            [(name, how, [_shown(value)]) for name, how, value in _SYSTEMS],
        ),
    ]


def _shown(value: float | None):
    return number(value, ".3f")
