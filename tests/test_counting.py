"""Counting what refers to a row: the right numbers, each table read once, damage told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bazanite import (
    CHAR,
    DB,
    INT,
    PK,
    CorruptionError,
    Field,
    InverseCount,
    InverseJoin,
    Schema,
    Table,
    ValidationError,
)
from bazanite.bazoola import FK  # with deletes that look at nobody
from bazanite.codec import RowCodec
from bazanite_wal.layer import View


class Store(Table):
    name = "stores"
    schema = Schema([Field("id", PK()), Field("name", CHAR(8))])


class Department(Table):
    name = "departments"
    schema = Schema([Field("id", PK()), Field("store", FK("stores", null=True))])


class Employee(Table):
    name = "employees"
    schema = Schema(
        [Field("id", PK()), Field("department", FK("departments")), Field("age", INT(null=True))]
    )


class Product(Table):
    name = "products"
    schema = Schema([Field("id", PK()), Field("code", CHAR(4)), Field("store", FK("stores"))])


STORES, DEPARTMENTS, EMPLOYEES, PRODUCTS = 2, 10, 50, 250
EMPLOYED = InverseCount("department", "employed", "employees", through=[("store", "departments")])
ON_SALE = InverseCount("store", "on_sale", "products")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[DB]:
    with DB([Store, Department, Employee, Product], tmp_path / "data") as opened:
        stores = opened.insert_many("stores", [{"name": f"s{n}"} for n in range(STORES)])
        departments = opened.insert_many(
            "departments", [{"store": s["id"]} for s in stores for _ in range(DEPARTMENTS)]
        )
        opened.insert_many(
            "employees", [{"department": d["id"]} for d in departments for _ in range(EMPLOYEES)]
        )
        opened.insert_many(
            "products", [{"code": "x", "store": s["id"]} for s in stores for _ in range(PRODUCTS)]
        )
        yield opened


def test_two_counts_beside_each_other_do_not_multiply(
    db: DB, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: Counter[str] = Counter()
    chunks = RowCodec.chunks

    def counted(self: RowCodec, view: View) -> Iterator[tuple[int, bytes]]:
        passes[self.files.rows] += 1
        return chunks(self, view)

    monkeypatch.setattr(RowCodec, "chunks", counted)
    rows = db.find_all("stores", joins=[EMPLOYED, ON_SALE])
    assert [(row["employed"], row["on_sale"]) for row in rows] == [
        (DEPARTMENTS * EMPLOYEES, PRODUCTS)
    ] * STORES
    assert passes == {
        f"{name}.dat": 1 for name in ("stores", "departments", "employees", "products")
    }


def test_deleted_rows_null_and_dangling_references_are_not_counted(db: DB) -> None:
    db.delete_by_id("employees", 1)
    db.delete_by_id("departments", 2)  # its employees refer to nothing now
    db.update_by_id("departments", 3, {"store": None})
    db.delete_by_id("products", PRODUCTS + 1)
    first, second = db.find_all("stores", joins=[EMPLOYED, ON_SALE])
    assert first["employed"] == (DEPARTMENTS - 2) * EMPLOYEES - 1
    assert second["employed"] == DEPARTMENTS * EMPLOYEES
    assert (first["on_sale"], second["on_sale"]) == (PRODUCTS, PRODUCTS - 1)
    alone = db.find_by_id("stores", 2, joins=[ON_SALE])
    assert alone is not None
    assert alone["on_sale"] == PRODUCTS - 1


def test_a_transaction_counts_its_own_rows(db: DB) -> None:
    with db.transaction():
        db.insert("products", {"code": "x", "store": 1})
        counts = [row["on_sale"] for row in db.find_all("stores", joins=[ON_SALE])]
    assert counts == [PRODUCTS + 1, PRODUCTS]


def test_a_count_is_the_length_of_the_joined_list(db: DB) -> None:
    joins: list[Any] = [ON_SALE, InverseJoin("store", "products", "products")]
    for row in db.find_all("stores", joins=joins):
        assert row["on_sale"] == len(row["products"])


def test_a_field_that_is_no_number_counts_by_its_value(db: DB) -> None:
    db.update_by_id("products", 1, {"code": "***"})
    assert db.tables["products"].count_by("code") == {"***": 1, "x": 2 * PRODUCTS - 1}
    with pytest.raises(ValidationError, match="nothing"):
        db.tables["products"].count_by("nothing")


@pytest.mark.parametrize("through", [[("store",)], ["store"], [("", "departments")], 5])
def test_a_step_that_is_no_pair_of_names_is_refused(through: Any) -> None:
    with pytest.raises(ValidationError):
        InverseCount("department", "n", "employees", through=through)


def test_a_damaged_reference_is_told_with_its_place(db: DB, tmp_path: Path) -> None:
    size = db.tables["products"].row_size
    with open(tmp_path / "data" / "products.dat", "r+b") as file:
        file.seek(3 * size + 9 + 4)
        file.write(b"?")
    with pytest.raises(CorruptionError, match=f"products.dat.*{3 * size + 9 + 4}"):
        db.find_all("stores", joins=[ON_SALE])
