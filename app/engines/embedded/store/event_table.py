"""The SQL of the events table, derived from EVENT_FIELDS."""

from reelrank.index_mappings.event import EVENT_FIELDS, FLAG, EventField

SQL_TYPES = {"string": "text", "bool": "integer", "int32": "integer", "int64": "integer", "double": "real"}
"""Arrow type to SQLite type."""


def declare_column(field: EventField) -> str:
    """Returns the type and the constraints. A required column has no default, so it cannot be added later."""
    sql_type = SQL_TYPES[str(field.type.arrow)]
    if field.is_nullable:
        return sql_type
    if field.is_required:
        return f"{sql_type} not null"
    default = "0" if field.type is FLAG else "''"
    return f"{sql_type} not null default {default}"


CREATE_EVENTS = f"""
create table if not exists events (
    seq integer primary key autoincrement,
    {", ".join(f"{field.name} {declare_column(field)}" for field in EVENT_FIELDS)},
    unique (id)
);
create table if not exists withdrawals (seq integer primary key autoincrement, events integer not null);
"""
ADDED_EVENT_COLUMNS = tuple(
    ("events", field.name, declare_column(field)) for field in EVENT_FIELDS if field.since > 1
)
"""Columns that files of earlier builds lack: table, name, declaration."""
