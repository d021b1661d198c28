"""What the last build without releases sent to a cluster: indices, aliases and events."""

import json
import lzma
from pathlib import Path

from reelrank.app.engines.server.transport.cluster import Cluster

FROZEN = Path(__file__).parents[1] / "upgrade"
FROZEN_PREFIX = "frozen-"


def replay(cluster: Cluster, product: str, prefix: str) -> None:
    """Sends what the old build sent."""
    for line in lzma.decompress((FROZEN / f"{product}-b9cedd9.jsonl.xz").read_bytes()).splitlines():
        request = json.loads(line.replace(FROZEN_PREFIX.encode(), prefix.encode()))
        body = None if request["body"] is None else request["body"].encode()
        status, reply = cluster.send_once(request["method"], request["path"], body, request["mimetype"])
        assert status < 300, reply
