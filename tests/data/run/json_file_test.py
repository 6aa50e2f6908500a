import dataclasses
from typing import Annotated, NotRequired, TypedDict

import pytest

from data.run import json_file
from data.run.errors import UserError
from data.run.json_file import Count, PathName, PlainName


class Row(TypedDict):
    name: str
    score: NotRequired[float | None]


@dataclasses.dataclass(frozen=True)
class Table:
    folder: str
    count: Count
    files: tuple[PlainName, ...] = ()
    rows: dict[str, list[Row]] = dataclasses.field(default_factory=dict)
    even: Annotated[int, lambda n: n % 2 == 0, "an even number"] = 0
    is_full: bool = False
    place: PathName | None = None

    def __post_init__(self):
        if self.count == 13:
            raise ValueError("count is 13")


def read(tmp_path, text):
    file = tmp_path / "t.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return json_file.read(file, Table, "write it again", folder="f")


def test_what_is_as_the_schema_says_is_made(tmp_path):
    text = """{"count": 3, "files": ["a b.txt", "é"], "is_full": true,
        "rows": {"x": [{"name": "n", "score": 1, "more": [null]}]}}"""
    rows = {"x": [{"name": "n", "score": 1.0, "more": [None]}]}
    expected = Table("f", 3, ("a b.txt", "é"), rows, is_full=True)
    assert read(tmp_path, text) == expected


@pytest.mark.parametrize(
    "text, told",
    [
        ("{", "is not valid JSON (Expecting property name"),
        (b"\xff", "is not valid JSON ('utf-8' codec"),
        ("[" * 100_000, "is not valid JSON (maximum recursion"),
        ("[]", "it is [], not a table"),
        ("null", "it is null, not a table"),
        ("3", "it is 3, not a table"),
        ('"x"', 'it is "x", not a table'),
        ("{}", "it has no count"),
        ('{"count": "3"}', 'count is "3", not a whole number'),
        ('{"count": true}', "count is true, not a whole number"),
        ('{"count": 3.0}', "count is 3.0, not a whole number"),
        ('{"count": -1}', "count is -1, not a count"),
        ('{"count": 1e999}', "count is Infinity, not a whole number"),
        ('{"count": 13}', "count is 13"),
        ('{"count": 1, "even": 3}', "even is 3, not an even number"),
        ('{"count": 1, "is_full": 1}', "is_full is 1, not true or false"),
        ('{"count": 1, "other": 1}', "other is no field that is known"),
        ('{"count": 1, "folder": "/"}', "folder is no field that is known"),
        (r'{"count": 1, "place": "a\u0000"}', "not null"),
        (r'{"count": 1, "place": "\ud800"}', "not null"),
        ('{"count": 1, "rows": []}', "rows is [], not a table"),
        ('{"count": 1, "rows": {"x": {}}}', "rows.x is {}, not a list"),
        ('{"count": 1, "rows": {"x": [{}]}}', "it has no rows.x[0].name"),
        (
            '{"count": 1, "rows": {"x": [{"name": "n", "score": NaN}]}}',
            "rows.x[0].score is NaN, not null",
        ),
        *(
            (f'{{"count": 1, "files": ["{name}"]}}', "not the plain name of a")
            for name in (
                *("", ".", "..", ".x", "../x", "a/b", "/x", r"a\\b"),
                *(r"a\u0000", r"a\u001b[31m", r"a\nb", r"\ud800", 300 * "x"),
            )
        ),
    ],
)
def test_what_is_not_is_told_with_the_place_and_a_remedy(tmp_path, text, told):
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 't.json'}")
    assert told in message and message.endswith(": write it again")
    assert len(message) < len(str(tmp_path)) + 220


def test_what_is_no_file_is_told(tmp_path):
    for file in (tmp_path, tmp_path / "gone", "/dev/zero"):
        with pytest.raises(UserError, match="it is not a file.*: remedy"):
            json_file.read(file, dict[str, object], "remedy")
