"""What filters ask about, as columns of one segment: keyword postings and numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.engines.embedded.bitmap import Bitmap, packed
from app.engines.embedded.postings import Postings
from index_mappings.query import Filters

UNSTATED = -1
REMEMBERED = 64
"""Answers kept: the sources of one request ask with the same filters, and so do popular pages."""


@dataclass(frozen=True, slots=True, eq=False)
class FilterColumns:
    """names: keyword field to {name without case: term}. numbers: int32 [size], UNSTATED where not stated."""

    size: int
    names: Mapping[str, Mapping[str, int]]
    keywords: Mapping[str, Postings]
    numbers: Mapping[str, NDArray[np.int32]]
    remembered: dict[Filters, Bitmap] = field(default_factory=dict)

    def passing(self, filters: Filters) -> Bitmap:
        """Which documents meet every filter."""
        bits = self.remembered.get(filters)
        if bits is None:
            bits = packed(self._passing(filters))
            if len(self.remembered) >= REMEMBERED:
                self.remembered.clear()
            self.remembered[filters] = bits
        return bits

    def _passing(self, filters: Filters) -> NDArray[np.bool_]:
        passing = np.ones(self.size, bool)
        for name, wanted in (
            ("genres", filters.genres),
            ("language", filters.languages),
            ("country", filters.countries),
        ):
            if wanted:
                passing &= self._carrying(name, wanted)
        for name, low, high in (
            ("year", filters.year_min, filters.year_max),
            ("duration_s", filters.duration_min_s, filters.duration_max_s),
        ):
            if low is not None or high is not None:
                numbers = self.numbers[name]
                passing &= numbers >= max(low or 0, 0)
                if high is not None:
                    passing &= numbers <= high
        return passing

    def _carrying(self, name: str, wanted: tuple[str, ...]) -> NDArray[np.bool_]:
        carrying = np.zeros(self.size, bool)
        postings = self.keywords[name]
        for term in {self.names[name].get(each.casefold()) for each in wanted} - {None}:
            carrying[postings.places[postings.of(term or 0)]] = True
        return carrying
