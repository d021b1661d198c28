"""What filters ask about, as columns of one segment: keyword postings and numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reelrank.app.engines.embedded.filters.bitmap import Bitmap, pack
from reelrank.app.engines.embedded.filters.postings import Postings
from reelrank.index_mappings.query import Filters

MISSING_VALUE = -1
FILTER_CACHE_SIZE = 64
"""Answers kept: the sources of one request ask with the same filters, and so do popular pages."""


@dataclass(frozen=True, slots=True, eq=False)
class FilterColumns:
    """names: keyword field to {name without case: term}. numbers: int32 [size], UNSTATED where not stated."""

    size: int
    names: Mapping[str, Mapping[str, int]]
    keywords: Mapping[str, Postings]
    numbers: Mapping[str, NDArray[np.int32]]
    cache: dict[Filters, Bitmap] = field(default_factory=dict)

    def evaluate(self, filters: Filters) -> Bitmap:
        """Which documents meet every filter."""
        bits = self.cache.get(filters)
        if bits is None:
            bits = pack(self._compute_mask(filters))
            if len(self.cache) >= FILTER_CACHE_SIZE:
                self.cache.clear()
            self.cache[filters] = bits
        return bits

    def _compute_mask(self, filters: Filters) -> NDArray[np.bool_]:
        passing = np.ones(self.size, bool)
        for name, wanted in (
            ("genres", filters.genres),
            ("language", filters.languages),
            ("country", filters.countries),
        ):
            if wanted:
                passing &= self._match_keyword(name, wanted)
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

    def _match_keyword(self, field_name: str, values: tuple[str, ...]) -> NDArray[np.bool_]:
        carrying = np.zeros(self.size, bool)
        postings = self.keywords[field_name]
        for term in {self.names[field_name].get(each.casefold()) for each in values} - {None}:
            carrying[postings.places[postings.term_slice(term or 0)]] = True
        return carrying
