"""OpenSearch 2 and 3: transport and kNN queries. Everything else is in `server`."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from reelrank.app.clock import SYSTEM_CLOCK, Clock
from reelrank.app.engines.server.documents.queries import MAX_HITS, Body
from reelrank.app.engines.server.documents.versions import Layout
from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.transport.access import Access, build_connection_error
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.app.engines.server.transport.deadline_guard import DeadlineGuard, guard_connections
from reelrank.index_mappings.engine import VectorMatch
from reelrank.index_mappings.errors import BadRequest, Timeout, Unavailable
from reelrank.index_mappings.mapping import build_items_index, name_vector_property

CONNECTIONS_PER_NODE = 32
"""Per host; a worker queries all its candidate sources in parallel."""
BEAM_FACTOR = 3
"""k per requested hit: Lucene uses k as its beam width, so request more hits and cut the list."""
MIN_BEAM = 3_000
"""Typed words are far from all items, where a narrow beam loses its way (docs/engines.md)."""


class OpenSearchTransport:
    """Sends requests through the client's transport and converts its status exceptions back to statuses."""

    def __init__(self, access: Access) -> None:
        import opensearchpy

        self._errors = opensearchpy.exceptions
        # It logs every error status, which becomes an engine error here.
        logging.getLogger("opensearch").setLevel(logging.ERROR)
        self._headers = {"accept": "application/json", **access.build_headers()}
        options: dict[str, Any] = {} if access.ca_certs is None else {"ca_certs": str(access.ca_certs)}
        # With zero retries, retry_on_timeout only moves a host that timed out to the end of the list.
        self._client = opensearchpy.OpenSearch(
            hosts=list(access.urls),
            serializer=_build_orjson_serializer(),
            pool_maxsize=CONNECTIONS_PER_NODE,
            max_retries=0,
            retry_on_timeout=True,
            **options,
        )
        for connection in self._client.transport.connection_pool.connections:
            connection.pool.ConnectionCls = guard_connections(connection.pool.ConnectionCls)

    def send(
        self, method: str, path: str, body: bytes | None, mimetype: str, timeout_s: float
    ) -> tuple[int, Any]:
        headers = self._headers if body is None else {**self._headers, "content-type": mimetype}
        try:
            reply = self._client.transport.perform_request(
                method, path, body=body, headers=headers, timeout=timeout_s
            )
        except self._errors.ConnectionTimeout as error:
            raise Timeout(f"opensearch did not answer within {timeout_s:.3f} s") from error
        except self._errors.ConnectionError as error:
            raise build_connection_error("opensearch", str(error.error), error.info) from error
        except self._errors.TransportError as error:
            return int(error.status_code), error.info
        except (self._errors.OpenSearchException, ValueError) as error:
            incomplete = Unavailable(
                "opensearch, or a proxy, sent an incomplete response", code="incomplete_response"
            )
            incomplete.cause = str(error)
            raise incomplete from error
        return 200, reply

    def close(self) -> None:
        self._client.close()


@dataclass(frozen=True, slots=True)
class OpenSearchDialect:
    """min_beam: the fewest candidates that a kNN search examines."""

    min_beam: int = MIN_BEAM

    def build_items_index(self) -> Mapping[str, Any]:
        return build_items_index("opensearch")

    def build_knn_query(self, request: VectorMatch, k: int, filters: list[Body]) -> Body:
        nearest = {
            "vector": request.vector,
            "k": min(max(BEAM_FACTOR * k, self.min_beam), MAX_HITS),
            **({"filter": {"bool": {"filter": filters}}} if filters else {}),
        }
        return {"query": {"knn": {name_vector_property(request.field): nearest}}}


def build_opensearch_cluster(access: Access, clock: Clock = SYSTEM_CLOCK) -> Cluster:
    if not access.urls:
        raise BadRequest("no address of OpenSearch; set REELRANK_ENGINE_URL", code="engine_not_configured")
    access.validate()
    return Cluster("opensearch", lambda: DeadlineGuard(OpenSearchTransport(access)), clock)


def build_opensearch_engine(cluster: Cluster, layout: Layout) -> ServerEngine:
    return ServerEngine(cluster, OpenSearchDialect(), layout)


def _build_orjson_serializer() -> Any:
    from opensearchpy.serializer import JSONSerializer

    class OrjsonSerializer(JSONSerializer):
        """Passes request bodies through as bytes; reads responses with orjson."""

        def loads(self, s: str) -> Any:
            return orjson.loads(s)

        def dumps(self, data: Any) -> Any:
            return data

    return OrjsonSerializer()
