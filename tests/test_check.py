"""``check``: a sound directory has no findings, every kind of damage has one, nothing raises."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite.check import Report, check_view
from check_support import CITY_ROW, NONE, PERSON_ROW, SCHEMA, Files, number, small_directory

SOUND = small_directory()


def test_a_sound_directory_has_no_problem_and_is_counted() -> None:
    report = check_view(SOUND)
    assert report.problems == []
    assert report.notes == []
    assert report.ok
    counts = {name: (c.rows, c.free, c.text_bytes) for name, c in report.tables.items()}
    assert counts == {"city": (3, 1, 0), "person": (3, 0, 9)}


# name of the damage, file, offset, new bytes, words of a finding, id of its row
DAMAGES: list[tuple[str, str, int, bytes, str, int | None]] = [
    ("newline lost", "city.dat", CITY_ROW - 1, b" ", "newline", 1),
    ("id no number", "city.dat", 0, b"x", "not a number", None),
    ("id with gap", "city.dat", 0, b"1 1", "not a number", None),
    ("id right-aligned", "city.dat", 0, b"        1", "not a number", None),
    ("id underscore", "city.dat", 0, b"1_1", "not a number", None),
    ("id zero", "city.dat", 0, b"0", "greater than 0", None),
    ("id negative", "city.dat", 0, b"-1", "greater than 0", None),
    ("id NULL", "city.dat", 0, NONE, "is NULL", None),
    ("id half NULL", "city.dat", 0, b"##", "NULL", None),
    ("id twice", "city.dat", 2 * CITY_ROW, b"1", "stands in slot 2", 1),
    ("id without entry", "city.dat", 0, b"2", "no entry", 2),
    ("id beyond the index", "city.dat", 0, b"77", "no entry", 77),
    ("CHAR no UTF-8", "city.dat", 9, b"\xff", "UTF-8", 1),
    ("CHAR cut short", "city.dat", 2 * CITY_ROW + 11, b" ", "UTF-8", 3),
    ("CHAR NULL", "city.dat", 9, bytes(6), "is NULL", 1),
    ("CHAR half NULL", "city.dat", 9, b"\0", "NULL", 1),
    ("deleted slot scratched", "city.dat", CITY_ROW + 5, b"x", "deleted", None),
    ("deleted without newline", "city.dat", 2 * CITY_ROW - 1, b"*", "deleted", None),
    ("row looks deleted", "city.dat", 0, b"*", "deleted", None),
    ("entry garbage", "city__id.idx.dat", 0, b"?", "not a slot number", 1),
    ("entry half none", "city__id.idx.dat", 9, b"####1", "not a slot number", 2),
    ("entry out of bounds", "city__id.idx.dat", 0, b"4", "has 4 slots", 1),
    ("entry negative", "city__id.idx.dat", 0, b"-1", "has 4 slots", 1),
    ("entry of a deleted slot", "city__id.idx.dat", 9, number(1), "is deleted", 2),
    ("entry of another row", "city__id.idx.dat", 0, b"2", "holds the row with id", 1),
    ("entry lost", "city__id.idx.dat", 18, NONE, "no entry", 3),
    ("entry of no row", "person__id.idx.dat", 27, number(1), "holds the row", 4),
    ("half zero entry", "person__id.idx.dat", 27, b"\0x", "not a slot number", 4),
    ("free garbage", "city__free.dat", 0, b"-", "not a slot number", None),
    ("free out of bounds", "city__free.dat", 0, b"9", "has 4 slots", None),
    ("free lists a row", "city__free.dat", 0, b"2", "overwrite", None),
    ("free forgets a slot", "city__free.dat", 0, b"0", "not on the free stack", None),
    ("sequence garbage", "city__seqnum.dat", 0, b"x", "automatic id", None),
    ("FK garbage", "person.dat", 15, b"x", "not a number", 1),
    ("FK half NULL", "person.dat", PERSON_ROW + 20, b"1", "NULL", 2),
    ("text beyond the end", "person.dat", 24, b"99", "ends at 39", 1),
    ("text negative", "person.dat", 24, b"-1", "ends at", 1),
    ("text of another row", "person.dat", 24, b"25", "another row", 400),
    ("text deleted", "person.dat", 24, b"0 ", "a deleted value", 1),
    ("text inside a value", "person.dat", 24, b"13", "no value", 1),
    ("text length garbage", "person.text.dat", 12, b"x", "no value", 1),
    ("text length too long", "person.text.dat", 25, b"6", "file ends", 400),
    ("text length too short", "person.text.dat", 12, b"3", "neither a value", None),
    ("text length over the next", "person.text.dat", 12, b"9", "inside another", 400),
    ("text no UTF-8", "person.text.dat", 35, b"\xff", "not UTF-8", 400),
    ("deleted text scratched", "person.text.dat", 3, b"x", "neither a value", None),
]


@pytest.mark.parametrize(
    "file,offset,data,words,row", [pytest.param(*d[1:], id=d[0]) for d in DAMAGES]
)
def test_each_kind_of_damage_is_found(
    file: str, offset: int, data: bytes, words: str, row: int | None
) -> None:
    report = check_view(SOUND.patched(file, offset, data))
    matching = [p for p in report.problems if words in p.what and row in (None, p.row)]
    assert matching, report.problems


@pytest.mark.parametrize("name", sorted(set(SOUND) - {"schema.json"}))
def test_a_file_that_ends_amid_an_item_is_found(name: str) -> None:
    if name == "person__free.dat":
        damaged = SOUND.replaced(name, b"0")
    elif name.endswith("seqnum.dat"):
        damaged = SOUND.replaced(name, b"")
    else:
        damaged = SOUND.replaced(name, SOUND[name][:-1])
    assert name in {problem.file for problem in check_view(damaged).problems} | (
        {"person.text.dat"} if name == "person.text.dat" else set()
    )


@pytest.mark.parametrize("name", sorted(set(SOUND) - {"schema.json", "person__free.dat"}))
def test_a_file_that_lost_its_content_is_found(name: str) -> None:
    assert not check_view(SOUND.replaced(name, b"")).ok


def test_a_slot_listed_twice_as_free_is_found() -> None:
    report = check_view(SOUND.replaced("city__free.dat", number(1) * 2))
    assert [problem.what for problem in report.problems] == ["lists slot 1 a second time"]


def test_a_dangling_reference_is_a_note_because_deletes_may_leave_one() -> None:
    report = check_view(SOUND.patched("person.dat", 15, b"2"))
    assert report.ok
    assert report.notes == [
        "person.city_id: 1 row refers to a row that does not exist (any more), the first has id 1"
    ]


def test_a_text_value_without_a_row_is_a_note_because_it_only_takes_up_space() -> None:
    report = check_view(SOUND.patched("person.dat", 24, NONE))
    assert report.ok
    assert len(report.notes) == 1
    assert "no row refers to" in report.notes[0]


def test_a_used_up_sequence_is_a_note() -> None:
    report = check_view(SOUND.replaced("city__seqnum.dat", b"999999999"))
    assert report.ok
    assert report.notes == ["city: automatic ids are used up at 999999999"]


def test_a_file_that_cannot_be_read_is_a_problem_not_an_exception() -> None:
    class BadDisk(Files):
        def read(self, name: str, offset: int, size: int) -> bytes:
            if name == "person.dat":
                raise OSError(5, "Input/output error")
            return super().read(name, offset, size)

    report = check_view(BadDisk(SOUND))
    assert "cannot be read: [Errno 5] Input/output error" in {p.what for p in report.problems}


def test_a_file_whose_size_cannot_be_asked_is_a_problem_not_an_exception() -> None:
    class BadDirectory(Files):
        def size(self, name: str) -> int:
            if name == "city.dat":
                raise OSError(13, "Permission denied")
            return super().size(name)

    report = check_view(BadDirectory(SOUND))
    assert "cannot be read: [Errno 13] Permission denied" in {p.what for p in report.problems}


def test_a_table_file_that_is_not_there_is_told_from_an_empty_one() -> None:
    report = check_view(SOUND, set(SOUND) - {"person__free.dat"})
    assert [str(problem) for problem in report.problems] == [
        "person__free.dat offset 0: is missing; table 'person' needs it"
    ]


def test_many_problems_are_counted_but_not_all_listed() -> None:
    report = check_view(SOUND.replaced("city.dat", b"x" * CITY_ROW * 500))
    listed = [problem for problem in report.problems if problem.file == "city.dat"]
    assert len(listed) == 100
    assert report.omitted >= 900


@pytest.mark.parametrize(
    "schema",
    [b"", b"\xff", b"[]", b"{}", b"null", b'{"format": "bazanite 1"}', b"[" * 100_000,
     json.dumps(SCHEMA | {"int_width": 0}).encode(),
     json.dumps(SCHEMA | {"int_width": "9"}).encode(),
     json.dumps(SCHEMA | {"tables": {"../x": {"fields": []}}}).encode(),
     json.dumps(SCHEMA | {"tables": {"x": {"fields": []}}}).encode(),
     json.dumps(SCHEMA | {"tables": {"x": {"fields": [{"name": "id"}]}}}).encode()],
)  # fmt: skip
def test_a_damaged_catalog_is_a_problem_of_its_file(schema: bytes) -> None:
    report = check_view(SOUND.replaced("schema.json", schema))
    assert {problem.file for problem in report.problems} == {"schema.json"}


def test_a_large_table_is_read_in_chunks() -> None:
    count = 40_000
    rows = b"".join(number(i + 1) + b"x     \n" for i in range(count))
    index = b"".join(number(i) for i in range(count))
    files = Files(
        SOUND
        | {"city.dat": rows, "city__id.idx.dat": index, "city__free.dat": b""}
        | {"city__seqnum.dat": b"%d" % count}
    )
    report = check_view(files)
    assert report.ok, report.problems[:3]
    assert report.tables["city"].rows == count


def assert_a_report(files: Files) -> Report:
    report = check_view(files)
    for problem in report.problems:
        assert problem.file in files
        assert 0 <= problem.offset <= len(files[problem.file])
        assert problem.what
        assert str(problem)
    return report


@given(data=st.data())
def test_no_damage_whatever_makes_it_raise(data: st.DataObject) -> None:
    files = SOUND
    for _ in range(data.draw(st.integers(1, 4))):
        name = data.draw(st.sampled_from(sorted(files)))
        size = len(files[name])
        offset = data.draw(st.integers(0, size))
        interesting = st.sampled_from([b"#", b"*", b"\0", b"\n", b" ", b"9", b"-", b"999999999"])
        piece = data.draw(st.one_of(st.binary(max_size=30), interesting))
        if data.draw(st.booleans()):
            files = files.patched(name, offset, piece)
        else:
            files = files.replaced(name, files[name][:offset] + piece)
    assert_a_report(files)


@given(st.binary(max_size=300), st.sampled_from(sorted(SOUND)))
def test_a_file_of_random_bytes_does_not_make_it_raise(content: bytes, name: str) -> None:
    assert_a_report(SOUND.replaced(name, content))
