"""Expects an error by its code, so that its words can be rewritten."""

from typing import TypeVar

import pytest

from reelrank.index_mappings.errors import CodedError

Error = TypeVar("Error", bound=CodedError)


def raises_code(error: type[Error], code: str, match: str | None = None) -> "pytest.RaisesExc[Error]":
    """Expects an error of this type and code. match: where its words say more, such as a line or a column."""
    return pytest.raises(error, match=match, check=lambda raised: raised.code == code)
