import pytest

from data.run.errors import UserError
from data.sources import label_table


def test_names_are_in_the_order_of_their_numbers():
    rows = [(2, "10", "b"), (3, "2", "c, d"), (4, "0", "é"), (5, "2", "c, d")]
    assert label_table.names_by_number(rows, "t.csv") == ("é", "c, d", "b")


@pytest.mark.parametrize(
    "rows, message",
    [
        ([], "t.csv has no row"),
        ([(2, "1.0", "a")], "line 2: the number of class 'a' is '1.0'"),
        ([(2, "1", "")], "line 2: the name of class 1 is ''"),
        ([(2, "1", "\udce9")], r"line 2: the name of class 1 is .*xe9"),
        ([(2, "1", "a"), (3, "1", "b")], "line 3: class 1 is 'b', but 'a'"),
        ([(2, "1", "a"), (3, "2", "a")], "line 3: class 'a' has number 2, but"),
    ],
)
def test_a_wrong_row_is_told(rows, message):
    with pytest.raises(UserError, match=message):
        label_table.names_by_number(rows, "t.csv")
