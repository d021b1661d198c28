"""Elasticsearch 8 and 9: transport and kNN queries. Everything else is in `server`."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reelrank.app.clock import SYSTEM_CLOCK, Clock
from reelrank.app.engines.server.documents.queries import MAX_HITS, Body
from reelrank.app.engines.server.documents.versions import Layout
from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.transport.access import Access, build_connection_error
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.app.engines.server.transport.deadline_guard import DeadlineGuard, guard_connections
from reelrank.index_mappings.engine import VectorMatch
from reelrank.index_mappings.errors import BadRequest, Timeout
from reelrank.index_mappings.mapping import build_items_index, name_vector_property

CONNECTIONS_PER_NODE = 32
"""Per host; a worker queries all its candidate sources in parallel."""
BEAM_FACTOR = 3
"""kNN candidates per shard for each requested hit; docs/engines.md states the recall."""
MIN_BEAM = 1_500
"""Typed words are far from all items, where a narrow beam loses its way (docs/engines.md)."""


class ElasticsearchTransport:
    """Sends plain JSON through the client's transport, so clients 8.19 and 9 work with servers 8 and 9."""

    def __init__(self, access: Access) -> None:
        import elastic_transport
        from elasticsearch import Elasticsearch

        self._timed_out = elastic_transport.ConnectionTimeout
        self._lost = elastic_transport.TransportError
        # They log every request, and every timeout, which becomes an engine error here.
        logging.getLogger("elastic_transport.transport").setLevel(logging.WARNING)
        logging.getLogger("elastic_transport.node_pool").setLevel(logging.ERROR)
        self._headers = {"accept": "application/json", **access.build_headers()}
        serializers = {"application/json": elastic_transport.OrjsonSerializer()}
        options: dict[str, Any] = {"connections_per_node": CONNECTIONS_PER_NODE, "max_retries": 0}
        options |= {"cloud_id": access.cloud_id} if access.cloud_id else {"hosts": list(access.urls)}
        options |= {} if access.ca_certs is None else {"ca_certs": str(access.ca_certs)}
        self._client = Elasticsearch(**options, serializers=serializers)
        self._transport = self._client.transport
        for node in self._transport.node_pool.all():
            node.pool.ConnectionCls = guard_connections(node.pool.ConnectionCls)  # type: ignore[attr-defined]

    def send(
        self, method: str, path: str, body: bytes | None, mimetype: str, timeout_s: float
    ) -> tuple[int, Any]:
        headers = self._headers if body is None else {**self._headers, "content-type": mimetype}
        try:
            answer = self._transport.perform_request(
                method, path, body=body, headers=headers, request_timeout=timeout_s, max_retries=0
            )
        except self._timed_out as error:
            raise Timeout(f"elasticsearch did not answer within {timeout_s:.3f} s") from error
        except self._lost as error:
            raise build_connection_error("elasticsearch", error.message, error.__cause__) from error
        return answer.meta.status, answer.body

    def close(self) -> None:
        self._client.close()


@dataclass(frozen=True, slots=True)
class ElasticsearchDialect:
    """min_beam: the fewest candidates that a kNN search examines."""

    min_beam: int = MIN_BEAM

    def build_items_index(self) -> Mapping[str, Any]:
        return build_items_index("elasticsearch")

    def build_knn_query(self, request: VectorMatch, k: int, filters: list[Body]) -> Body:
        nearest = {
            "field": name_vector_property(request.field),
            "query_vector": request.vector,
            "k": k,
            "num_candidates": min(max(BEAM_FACTOR * k, self.min_beam), MAX_HITS),
            **({"filter": filters} if filters else {}),
        }
        return {"knn": nearest}


def build_elasticsearch_cluster(access: Access, clock: Clock = SYSTEM_CLOCK) -> Cluster:
    if not access.urls and not access.cloud_id:
        raise BadRequest(
            "no address of Elasticsearch; set REELRANK_ENGINE_URL or REELRANK_ENGINE_CLOUD_ID",
            code="engine_not_configured",
        )
    access.validate()
    _check_cloud_id(access.cloud_id)
    return Cluster("elasticsearch", lambda: DeadlineGuard(ElasticsearchTransport(access)), clock)


def build_elasticsearch_engine(cluster: Cluster, layout: Layout) -> ServerEngine:
    return ServerEngine(cluster, ElasticsearchDialect(), layout)


def _check_cloud_id(cloud_id: str) -> None:
    from elastic_transport.client_utils import parse_cloud_id

    if cloud_id:
        try:
            parse_cloud_id(cloud_id)
        except ValueError as error:
            raise BadRequest(
                "REELRANK_ENGINE_CLOUD_ID is not a valid cloud id; copy it from the Elastic Cloud console",
                code="invalid_engine_setting",
            ) from error
