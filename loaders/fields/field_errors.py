"""What pydantic found to be wrong, in bounds: who sends a body chooses the number and names of its fields."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

MAX_ERRORS, MAX_NAME_LENGTH = 20, 100
MAX_LISTED = 1000
"""With more errors than this, listing them would cost more than reading the body."""


def list_errors(error: ValidationError) -> list[ErrorDetails]:
    """Returns the first errors, with the beginnings of names; of very many errors how many there are."""
    count = error.error_count()
    if count > MAX_LISTED:
        message = f"request: {count} fields are wrong; /openapi lists the right ones"
        return [ErrorDetails(type="too_many_errors", loc=(), msg=message, input=None)]
    found = error.errors(include_url=False)[:MAX_ERRORS]
    for details in found:
        details["loc"] = tuple(
            part[:MAX_NAME_LENGTH] if isinstance(part, str) else part for part in details["loc"]
        )
    return found
