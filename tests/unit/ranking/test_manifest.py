import pytest
from pydantic import BaseModel, ValidationError

from reelrank.ranking.rankers.manifest import describe_validation_error


class Pair(BaseModel):
    first: int
    second: int


def test_an_error_names_every_wrong_field() -> None:
    with pytest.raises(ValidationError) as raised:
        Pair.model_validate({"first": "one", "second": "two"})
    first, second = describe_validation_error(raised.value).split("; ")
    assert first.startswith("first: ")
    assert second.startswith("second: ")
