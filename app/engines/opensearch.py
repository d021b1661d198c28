"""OpenSearch 2 and 3: its client as a wire, and its words for kNN. Everything else is in `server`."""

import logging
from collections.abc import Mapping
from typing import Any

import orjson

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
"""For each host; a worker asks all its candidate sources at once."""
BEAM_FACTOR = 3
"""k for each hit asked for: Lucene's engine searches with a beam of k, so more are asked for and cut."""
MIN_BEAM = 100


class OpenSearchTransport:
    """The client's transport. It tells refusals by exceptions, which become statuses again here."""

    def __init__(self, access: Access) -> None:
        import opensearchpy

        self._errors = opensearchpy.exceptions
        logging.getLogger("opensearch").setLevel(
            logging.ERROR
        )  # it tells of every refusal, which becomes an error of ours
        self._headers = {"accept": "application/json", **access.build_headers()}
        options: dict[str, Any] = {} if access.ca_certs is None else {"ca_certs": str(access.ca_certs)}
        # Retrying on timeouts, no times: so a host that is late is asked last the next time.
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
        except self._errors.ConnectionTimeout as late:
            raise Timeout(f"opensearch did not answer within {timeout_s:.3f} s") from late
        except self._errors.ConnectionError as lost:
            raise build_connection_error("opensearch", str(lost.error), lost.info) from lost
        except self._errors.TransportError as refused:
            return int(refused.status_code), refused.info
        except (self._errors.OpenSearchException, ValueError) as garbled:
            raise Unavailable(
                f"opensearch, or a proxy before it, gave no whole answer: {garbled}"
            ) from garbled
        return 200, reply

    def close(self) -> None:
        self._client.close()


class OpenSearchDialect:
    def build_items_index(self) -> Mapping[str, Any]:
        return build_items_index("opensearch")

    def build_knn_query(self, request: VectorMatch, k: int, filters: list[Body]) -> Body:
        nearest = {
            "vector": request.vector,
            "k": min(max(BEAM_FACTOR * k, MIN_BEAM), MAX_HITS),
            **({"filter": {"bool": {"filter": filters}}} if filters else {}),
        }
        return {"query": {"knn": {name_vector_property(request.field): nearest}}}


def build_opensearch_cluster(access: Access) -> Cluster:
    if not access.urls:
        raise BadRequest("no OpenSearch is named; set REELRANK_ENGINE_URL")
    access.validate()
    return Cluster("opensearch", lambda: DeadlineGuard(OpenSearchTransport(access)))


def build_opensearch_engine(cluster: Cluster, layout: Layout) -> ServerEngine:
    return ServerEngine(cluster, OpenSearchDialect(), layout)


def _build_orjson_serializer() -> Any:
    from opensearchpy.serializer import JSONSerializer

    class OrjsonSerializer(JSONSerializer):
        """Bodies arrive as bytes; answers are read by orjson."""

        def loads(self, s: str) -> Any:
            return orjson.loads(s)

        def dumps(self, data: Any) -> Any:
            return data

    return OrjsonSerializer()
