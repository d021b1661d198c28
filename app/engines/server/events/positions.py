"""Positions in a data stream: by generation of its backing indices, the sequence number reached."""

from reelrank.index_mappings.errors import BadRequest

Position = dict[int, int]


def parse_position(text: str | None) -> Position:
    """Raises BadRequest on a text that `position_text` did not make."""
    try:
        pairs = (pair.split(":") for pair in (text or "").split(",") if pair)
        return {int(generation): int(reached) for generation, reached in pairs}
    except ValueError as fault:
        raise BadRequest(
            f"{text!r} is no position of this event store; begin from the first event"
        ) from fault


def format_position(position: Position) -> str:
    return ",".join(f"{generation}:{reached}" for generation, reached in sorted(position.items()))
