"""CSV as text: what is written is read again; what Python's ``csv`` writes is read alike."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite_tools.exchange.csv_text import BadRecord, Dialect

CELLS = st.one_of(
    st.text('ab,";|\t\r\n \x85\u2028\x00NULL', max_size=6),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)


def lines(text: str) -> io.StringIO:
    return io.StringIO(text, newline="")


def read(text: str, dialect: Dialect | None = None) -> list[list[str | None]]:
    return [cells for _, cells in (dialect or Dialect()).records(lines(text))]


@given(
    rows=st.lists(st.lists(CELLS | st.none(), min_size=2, max_size=4), max_size=4),
    delimiter=st.sampled_from([",", ";", "\t", "|", "\u2028"]),
    null=st.sampled_from(["", "NULL", "a"]),
)
def test_what_is_written_is_read_again(
    rows: list[list[str | None]], delimiter: str, null: str
) -> None:
    dialect = Dialect(delimiter, null)
    assert read("".join(map(dialect.record, rows)), dialect) == rows


@given(
    rows=st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=4),
    how=st.sampled_from(
        [(csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r"), (csv.QUOTE_MINIMAL, "\r\n")]
    ),
)
def test_what_pythons_csv_writes_is_read_alike(rows: list[list[str]], how: tuple[int, str]) -> None:
    quoting, end = how
    file = io.StringIO(newline="")
    csv.writer(file, quoting=quoting, lineterminator=end).writerows(rows)  # type: ignore[arg-type]
    found = read(file.getvalue())
    if quoting == csv.QUOTE_MINIMAL:  # an empty cell is NULL here
        found = [["" if cell is None else cell for cell in row] for row in found]
    assert found == rows


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=4))
def test_pythons_csv_reads_what_is_written(rows: list[list[str]]) -> None:
    text = "".join(map(Dialect().record, rows))
    if "\0" not in text:  # which it refuses before Python 3.11
        assert list(csv.reader(lines(text))) == rows


def test_an_empty_cell_is_null_and_one_in_quotes_is_text() -> None:
    assert read('a,b\n,""\n"",\n') == [["a", "b"], [None, ""], ["", None]]
    assert read('NULL,"NULL",\n', Dialect(null="NULL")) == [[None, "NULL", ""]]
    assert read('"",x\n', Dialect(quoted_null=True)) == [[None, "x"]]


def test_records_have_the_number_of_their_first_line_and_empty_lines_are_none() -> None:
    text = 'a,b\n\n"1\n2",3\r\n\r\n4,5"6\n'
    assert list(Dialect().records(lines(text))) == [
        (1, ["a", "b"]),
        (3, ["1\n2", "3"]),
        (6, ["4", '5"6']),
    ]


@pytest.mark.parametrize(
    "text, line", [('a\n"b', 2), ('a\n"b""\nc\n', 2), ('a,"b" ,c\n', 1), ('a\n"x\ny"z\n', 3)]
)
def test_what_is_not_csv_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(BadRecord) as caught:
        read(text)
    assert caught.value.line == line
