"""Schemas as a new directory is to have them, made from what another one stores.

Pure.
"""

from __future__ import annotations

from bazanite.fields import FK
from bazanite.schema import Schema
from bazanite.specs import TableSpec
from bazanite.stored_schema import schema_of
from bazanite.table import Table


def declared_schema(spec: TableSpec) -> Schema:
    """A schema that makes such a table anew: its references do the same, and it has its indexes.

    An index that is still being built is left out: whoever builds it goes on.
    """
    schema = schema_of(spec)
    for stored, field in zip(spec.fields, schema.schema, strict=True):
        if isinstance(field.type, FK):
            field.type.on_delete = stored.on_delete
    schema.keys = [(index.columns, index.unique) for index in spec.indexes if index.ready]
    return schema


def table_class(name: str, schema: Schema) -> type[Table]:
    """A class to open such a table with."""
    return type("Exchanged", (Table,), {"name": name, "schema": schema})
