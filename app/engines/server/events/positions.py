"""Positions in a data stream: the sequence number that was read in each generation of its indices."""

from reelrank.index_mappings.errors import BadRequest

Position = dict[int, int]


def parse_position(text: str | None) -> Position:
    """Parses what `format_position` returned; None is the start. Raises BadRequest for any other text."""
    try:
        pairs = (pair.split(":") for pair in (text or "").split(",") if pair)
        return {int(generation): int(reached) for generation, reached in pairs}
    except ValueError as error:
        raise BadRequest(
            f"{text!r} is not a position of this event store; start from the first event",
            code="invalid_event_position",
        ) from error


def format_position(position: Position) -> str:
    return ",".join(f"{generation}:{reached}" for generation, reached in sorted(position.items()))
