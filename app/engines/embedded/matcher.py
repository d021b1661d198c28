"""Matching on the embedded engine: the text index, vectors and neighbours of one view."""

from dataclasses import dataclass

from reelrank.app.engines.embedded.readers import ServingState
from reelrank.index_mappings.engine import NeighbourMatch, TextMatch, VectorMatch
from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.match import Matches

EXTRA_HITS = 20
"""Hits requested beyond the limit, so that ties at the limit can be sorted by id."""


@dataclass(frozen=True, slots=True)
class EmbeddedMatcher:
    """Answers from one version; from the one that serves when `version` is None."""

    serving: ServingState
    version: str | None = None

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches:
        view = self.serving.get_view(self.version)
        limit = request.limit + EXTRA_HITS
        rows, scores = view.text_index.search(request, limit)
        return view.snapshot.match_rows(request, rows, scores)

    def match_vector(self, request: VectorMatch, timeout_s: float) -> Matches:
        field = VECTOR_FIELDS.get(request.field)
        if field is None or request.vector.shape != (field.size,):
            raise BadRequest(
                f"no vector field {request.field!r} with vectors of shape {request.vector.shape}",
                code="unknown_vector_field",
            )
        return self.serving.get_view(self.version).snapshot.match_vector(request)

    def match_ids(self, request: NeighbourMatch, timeout_s: float) -> Matches:
        return self.serving.get_view(self.version).snapshot.match_neighbours(request)
