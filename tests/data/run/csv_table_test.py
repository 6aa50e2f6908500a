import csv

import pytest

from data.run import csv_table
from data.run.errors import UserError


def test_cells_are_as_written_and_lines_are_the_files(tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes(
        b"\xef\xbb\xbfname , n\r\n\r\nNA,007\r\nnull,\r\n"
        b'"a ""b"",\r\nc", 1e3 ,\r\n\xff'
    )
    table = csv_table.read(file)
    assert table.columns == ("name", "n")
    assert list(table.rows("n", "gone", "name")) == [
        (3, "007", "", "NA"),
        (4, "", "", "null"),
        (6, "1e3", "", 'a "b",\r\nc'),
        (7, "", "", "\udcff"),
    ]
    table.require("n", "")
    with pytest.raises(UserError, match="no column 'c': it has name, n; do x"):
        table.require("c", "do x")
    file.write_text("n,m,n\n1,2,3\n")
    with pytest.raises(UserError, match="has two columns 'n': keep one"):
        csv_table.read(file).require("n", "")


def test_without_a_header_the_first_line_is_a_row(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text('# a note\n-x_1, 2, "y,z"')
    table = csv_table.read(file, "--f", ("a", "b", "c"))
    assert list(table.rows("a", "c")) == [
        (1, "# a note", ""),
        (2, "-x_1", "y,z"),
    ]
    assert table.name == f"--f={file}"


@pytest.mark.parametrize(
    "text, columns, message",
    [
        ("\n", (), "t.csv is empty"),
        ("a,b\n1,2,3\n", (), "line 2: more cells than the header has; quote"),
        ("1,2\n1,2,3\n", ("a", "b"), "line 2: more cells than the 2 wanted"),
        ('a\n"b\n', (), "t.csv is not a valid CSV .line 2: .*; quote cells"),
    ],
)
def test_a_broken_file_is_told_in_one_line(tmp_path, text, columns, message):
    file = tmp_path / "t.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        csv_table.read(file, "", columns)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(UserError, match="--f=.*gone.csv does not exist"):
        csv_table.read(tmp_path / "gone.csv", "--f")
    with pytest.raises(UserError, match="cannot be read"):
        csv_table.read(tmp_path)


def test_a_table_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "t.csv"
    csv_table.write(file, [("name", "n"), ('a "b", c\udcff', None), ("é", 0.5)])
    whole = 'name,n\n"a ""b"", c\\udcff",\né,0.5\n'.encode()
    assert file.read_bytes() == whole

    def rows():
        yield "name", "n"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        csv_table.write(file, rows())
    assert file.read_bytes() == whole
    csv_table.append(file, ["x\ny", ""])
    assert file.read_bytes() == whole + b'"x\ny",\n'
    csv_table.write(file, [("a",), ("b",)], line_end="\r\n")
    assert file.read_bytes() == b"a\r\nb\r\n"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "cell, written",
    [
        ("=1+1.wav", "'=1+1.wav"),
        ("+a", "'+a"),
        ("-a", "'-a"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("\uff1d1", "'\uff1d1"),
        ("'=1", 2 * "'" + "=1"),
        (2 * "'" + "=1", 3 * "'" + "=1"),
        ("-1.5e3", "-1.5e3"),
        ("'quoted'", "'quoted'"),
        ("a=b", "a=b"),
    ],
)
def test_no_cell_is_a_formula_and_all_are_read_back(cell, written, tmp_path):
    file = tmp_path / "t.csv"
    csv_table.write(file, [("name", "n"), (cell, -2.5)])
    csv_table.append(file, (cell, "-3"))
    with file.open(newline="", encoding="utf-8") as stream:
        found = [*csv.reader(stream)]
    assert found == [["name", "n"], [written, "-2.5"], [written, "-3"]]
    expected = [["name", "n"], [cell, "-2.5"], [cell, "-3"]]
    assert csv_table.rows_written(file) == expected


def test_rows_that_a_kill_has_cut_and_missing_files_are_no_rows(tmp_path):
    file = tmp_path / "t.csv"
    assert csv_table.rows_written(file) == []
    file.write_text('a,b\n"1\r2",3\n4,', newline="")
    assert csv_table.rows_written(file) == [["a", "b"], ["1\r2", "3"]]
    file.write_bytes(b"\xff\n")
    with pytest.raises(UserError, match="t.csv cannot be read .*: delete it"):
        csv_table.rows_written(file)


def test_what_a_terminal_acts_upon_is_shown():
    text = "a\x1b[31m\xe9 \u65e5\n\u202eb\udcff\x85\u3000c"
    shown = r"a\x1b[31m@\n\u202eb\xff\x85".replace("@", "\xe9 \u65e5")
    assert csv_table.on_one_line(text) == shown + "\u3000c"
