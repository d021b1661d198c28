"""The columns of one segment that filters read: keyword postings and numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reelrank.app.engines.embedded.filters.bitmap import Bitmap, pack
from reelrank.app.engines.embedded.filters.hashed_names import HashedNames
from reelrank.app.engines.embedded.filters.postings import Postings
from reelrank.index_mappings.query import Filters

MISSING_VALUE = -1
FILTER_CACHE_SIZE = 64
"""Cached filter results: the sources of a request share their filters, and so do popular pages."""


@dataclass(frozen=True, slots=True, eq=False)
class FilterColumns:
    """The columns that filters of one segment read.

    names: keyword field to {case-folded name: term}. hashed_names: of people and tags.

    numbers: int32 [size] or MISSING_VALUE.
    """

    size: int
    names: Mapping[str, Mapping[str, int]]
    keywords: Mapping[str, Postings]
    hashed_names: Mapping[str, HashedNames]
    numbers: Mapping[str, NDArray[np.int32]]
    cache: dict[Filters, Bitmap] = field(default_factory=dict)

    def evaluate(self, filters: Filters) -> Bitmap:
        """Returns the documents that pass every filter."""
        bits = self.cache.get(filters)
        if bits is None:
            bits = pack(self._compute_mask(filters))
            if len(self.cache) >= FILTER_CACHE_SIZE:
                self.cache.clear()
            self.cache[filters] = bits
        return bits

    def _compute_mask(self, filters: Filters) -> NDArray[np.bool_]:
        passes = np.ones(self.size, bool)
        for name, values in (
            ("genres", filters.genres),
            ("language", filters.languages),
            ("country", filters.countries),
        ):
            if values:
                passes &= self._match_keyword(name, values)
        for name, values in (("people", filters.people), ("tags", filters.tags)):
            if values:
                has_name = np.zeros(self.size, bool)
                has_name[self.hashed_names[name].find(values)] = True
                passes &= has_name
        for name, low, high in (
            ("year", filters.year_min, filters.year_max),
            ("duration_s", filters.duration_min_s, filters.duration_max_s),
        ):
            if low is not None or high is not None:
                numbers = self.numbers[name]
                passes &= numbers >= max(low or 0, 0)
                if high is not None:
                    passes &= numbers <= high
        return passes

    def _match_keyword(self, field_name: str, values: tuple[str, ...]) -> NDArray[np.bool_]:
        matches = np.zeros(self.size, bool)
        postings = self.keywords[field_name]
        for term in {self.names[field_name].get(value.casefold()) for value in values} - {None}:
            matches[postings.places[postings.get_slice(term or 0)]] = True
        return matches
