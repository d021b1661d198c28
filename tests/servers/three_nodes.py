"""A cluster of three nodes on one machine, and settings for three shards with one replica each."""

from collections.abc import Mapping
from pathlib import Path

from tests.servers.node import Node, find_free_port

NODE_COUNT = 3
ELASTICSEARCH = "elasticsearch-9-three"
KINDS_OF_THREE: Mapping[str, str] = {ELASTICSEARCH: "elasticsearch-9"}
"""Kind of cluster to the kind of its nodes."""
INITIAL_NODES_SETTING = {"elasticsearch-9": "cluster.initial_master_nodes"}
"""The setting that names the nodes that form the cluster."""
SPREAD_SETTINGS: Mapping[str, str] = {"engine_shards": "3", "engine_replicas": "1"}
"""Project settings that give each node a part and no node the only copy."""


def start_three_nodes(kind: str, home: Path) -> tuple[Node, ...]:
    """Starts nodes and waits until they have formed a cluster."""
    ports = [find_free_port() for _ in range(NODE_COUNT)]
    addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
    names = ",".join(f"node-{number}" for number in range(NODE_COUNT))
    started = [
        Node(
            kind,
            home / f"node-{number}",
            f"node.name=node-{number}",
            f"transport.port={port}",
            f"discovery.seed_hosts={addresses}",
            f"{INITIAL_NODES_SETTING[kind]}={names}",
        )
        for number, port in enumerate(ports)
    ]
    return tuple(node.wait(nodes=NODE_COUNT) for node in started)
