"""Reads how degraded pages are reported: on the page, in the events of its impressions, in /metrics."""

import re
from collections import Counter

from reelrank.index_mappings.event_store import EventStore
from tests.running_service import Answer, ServiceProcess

FAILURE_METRIC = re.compile(r'reelrank_source_failures_total\{source="(\w+)",why="(\w+)"\} (\S+)')
DEGRADED_METRIC = re.compile(r"reelrank_degraded_pages_total\{.*\} (\S+)")
HitWarnings = list[set[str]]


def is_complete(answer: Answer) -> bool:
    return answer.status == 200 and not answer.json["degraded"]


def count_failures(service: ServiceProcess) -> Counter[tuple[str, str]]:
    """Counts source failures since the service started, by source and kind."""
    text = service.get("/metrics").body.decode()
    return Counter({(source, why): int(float(n)) for source, why, n in FAILURE_METRIC.findall(text)})


def count_degraded_pages(service: ServiceProcess) -> int:
    """Counts degraded pages by reason; a page with two reasons counts twice."""
    return sum(int(float(n)) for n in DEGRADED_METRIC.findall(service.get("/metrics").body.decode()))


def read_event_warnings(store: EventStore, answer: Answer) -> HitWarnings:
    """Reads the warnings stored with each impression of an answer."""
    request_id, batches = answer.json["request_id"], store.scan(0, 2**62)
    events = [e for batch in batches for e in batch.to_pylist() if e["request_id"] == request_id]
    return [set(filter(None, event["degraded"].split(", "))) for event in events]


def expect_warnings(answer: Answer, extra: int = 0) -> HitWarnings:
    """Returns the warnings expected per hit, and `extra` more times; none for a problem response."""
    lines = len(answer.json["hits"]) + extra if answer.status == 200 else 0
    return [{reason.partition(":")[0] for reason in answer.json.get("degraded", ())}] * lines
