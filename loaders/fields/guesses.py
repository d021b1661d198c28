"""What a load decided about columns, in words, for the report that a user reads before loading."""

from collections.abc import Mapping

from reelrank.loaders.fields.field_map import Field, FieldMap
from reelrank.loaders.report import FieldReport, ValueCounts


def describe_fields(fields: FieldMap | None, values: Mapping[str, ValueCounts]) -> dict[str, FieldReport]:
    """Describes every field of a mapping, with the counts of its values.

    Records that need no mapping have fields without columns.
    """
    if fields is None:
        present = {name: counts for name, counts in values.items() if counts.readable or counts.ignored}
        return {name: FieldReport((), "as the record states it", counts) for name, counts in present.items()}
    return {
        target.name: FieldReport(
            find_sources(fields, target),
            describe_guess(fields, target),
            values.get(target.name, ValueCounts()),
        )
        for target in fields.rules.fields
    }


def find_sources(fields: FieldMap, target: Field) -> tuple[str, ...]:
    """Returns the columns that fill a field; that of titles fills a date that no other column does."""
    if target.name == "id" and fields.rules.id_columns:
        return fields.rules.id_columns
    columns = fields.columns.get(target.name, ())
    return fields.columns.get("title", ()) if not columns and _is_from_title(fields, target) else columns


def describe_guess(fields: FieldMap, target: Field) -> str:
    """Returns what was decided about a field, in words; empty when nothing had to be."""
    if constant := fields.rules.constants.get(target.name):
        return f"always {constant}"
    if target.name == "id" and fields.rules.id_columns:
        return "hash of the values"
    columns = fields.columns.get(target.name, ())
    if target.date:
        words = [fields.find_date_style(column).description for column in columns]
    elif target.many:
        words = [fields.find_list_style(column).description for column in columns]
    elif target.length:
        words = [fields.find_unit(column) or "unit as written" for column in columns]
    elif target.name == "title" and fields.styles.titles_have_year:
        words = ["without the year at its end"]
    else:
        words = []
    if _is_from_title(fields, target):
        words.append("year at the end of the title")
    return "; ".join(dict.fromkeys(filter(None, words)))


def list_notes(fields: FieldMap | None) -> list[str]:
    """Lists what looks wrong in columns, and what to do about it."""
    if fields is None:
        return []
    return [
        f"column {column} may hold lists: {example[:60]!r} is read as one name; "
        "if it is a list, add --separator with what is between its names"
        for column, example in fields.styles.unsplit.items()
    ]


def _is_from_title(fields: FieldMap, target: Field) -> bool:
    is_left_out = fields.rules.stated.get(target.name) == ()
    return target.name == "published_at" and fields.styles.titles_have_year and not is_left_out
