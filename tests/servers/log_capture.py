"""What is told of pages that lack something: by the page, by the events of its impressions, by /metrics."""

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
    """By source and kind, since the service began."""
    text = service.get("/metrics").body.decode()
    return Counter({(source, why): int(float(n)) for source, why, n in FAILURE_METRIC.findall(text)})


def count_degraded_pages(service: ServiceProcess) -> int:
    """By what they lacked, so one that lacked two counts twice."""
    return sum(int(float(n)) for n in DEGRADED_METRIC.findall(service.get("/metrics").body.decode()))


def read_event_warnings(store: EventStore, answer: Answer) -> HitWarnings:
    """What each impression of an answer says was missing: learning and click rates read them."""
    name, batches = answer.json["request_id"], store.scan(0, 2**62)
    events = [event for batch in batches for event in batch.to_pylist() if event["request_id"] == name]
    return [set(filter(None, event["degraded"].split(", "))) for event in events]


def expect_warnings(answer: Answer, extra: int = 0) -> HitWarnings:
    """A line for each hit, and so many more, that says what the page lacked; of a problem none."""
    lines = len(answer.json["hits"]) + extra if answer.status == 200 else 0
    return [{reason.partition(":")[0] for reason in answer.json.get("degraded", ())}] * lines
