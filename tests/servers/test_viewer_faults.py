"""What a viewer gets of each fault, what is recorded of it, what /metrics says, and that it passes."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.search.showing import FETCH_S
from tests.served import Answer, serve
from tests.servers import house_under_faults as faults
from tests.servers.house_under_faults import Fault, House, build_in_shards
from tests.servers.node import Node, in_the_end
from tests.servers.proxy import Proxy
from tests.servers.server import startable
from tests.servers.told import Said, failures, in_events, is_whole, wanted
from tests.small_house import add_model

pytestmark = [pytest.mark.slow, pytest.mark.servers]
DEADLINE_S = 0.5
LATE_S = 1.2 * DEADLINE_S + 0.4  # a fifth more, and what two busy cores take; items of a page have their own
SEARCH, HOME = "/v1/search?q=story&user=u1&limit=5", "/v1/recommendations?user=u2&limit=5"
DROPPED = re.compile(r'reelrank_pages_not_recorded_total\{why="not on dashboards"\} (\S+)')


@dataclass(frozen=True, slots=True)
class Case:
    """kinds: of failure, of which one at least is counted. status: of answers that are not whole."""

    fault: Fault
    kinds: set[str]
    status: set[int]


PAGE, PROBLEM = {200}, {503, 504}
SEEN_S = 60.0
CASES = {
    "a node that stands still": Case(faults.node_stands_still, {"Timeout"}, PROBLEM),
    "a killed node": Case(faults.node_is_killed, {"Unavailable"}, PROBLEM),
    "late answers": Case(faults.bad_line("delay"), {"Timeout"}, PROBLEM),
    "trickling answers": Case(faults.bad_line("trickle"), {"Timeout"}, PROBLEM),
    "reset connections": Case(faults.bad_line("reset"), {"Unavailable"}, PROBLEM),
    "answers cut short": Case(faults.bad_line("truncate"), {"Unavailable", "Timeout"}, PROBLEM),
    "a slow source": Case(faults.source_is_slow, {"Timeout"}, PAGE),
    "a wrong password": Case(faults.password_is_wrong, {"Unavailable"}, PROBLEM),
    "a full search queue": Case(faults.queue_is_full, {"Throttled", "Partial"}, PAGE | PROBLEM),
    "a lost shard": Case(faults.shard_is_lost, {"Partial"}, PAGE),
    "a mapping that does not fit": Case(faults.mapping_does_not_fit, {"BadRequest"}, PAGE),
    "a deleted index": Case(faults.index_is_deleted, {"Unavailable"}, PROBLEM),
}


@pytest.fixture(scope="module", params=["elasticsearch-9", "opensearch-3"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    kind = startable(request.param)
    node = Node(kind, Path(tmp_path_factory.mktemp(kind)), *faults.NARROW).wait()
    data_dir = tmp_path_factory.mktemp("house") / "data"
    parts, proxy = build_in_shards(node, data_dir), Proxy(node.port)
    parts.registry.promote(add_model(parts, "first", 0), lambda directory: directory)
    there = {"engine": parts.settings.engine, "engine_url": proxy.url, "engine_prefix": faults.PREFIX}
    secrets = {"engine_username": "reader", "engine_password": "wrong"}
    served = serve(data_dir, True, deadline_ms=round(DEADLINE_S * 1000), **there, **secrets)
    yield House(node, proxy, parts, served)
    served.stop()
    proxy.stop()
    node.stop()


def dropped(house: House) -> int:
    """Pages that are not on dashboards."""
    return sum(int(float(n)) for n in DROPPED.findall(house.service.get("/metrics").body.decode()))


def asked(house: House) -> list[Answer]:
    """A search and a home page, each in time."""
    answers = list[Answer]()
    for path in (SEARCH, HOME):
        began = time.monotonic()
        answers.append(house.service.get(path))
        most = LATE_S + (FETCH_S if answers[-1].status == 200 else 0)
        assert time.monotonic() - began < most, answers[-1].body
    return answers


def in_trouble(house: House, case: Case, before: Counter[tuple[str, str]]) -> list[Answer]:
    """A search, and more, that are not whole, once a failure of the kind was counted."""
    answers = list[Answer]()

    def is_seen() -> bool:
        answers[:] = [answer for answer in asked(house) if not is_whole(answer)]
        kinds = {why for _, why in failures(house.service) - before}
        return bool(answers and kinds & case.kinds and {answer.status for answer in answers} <= case.status)

    assert in_the_end(is_seen, SEEN_S), (
        failures(house.service) - before,
        [answer.body for answer in answers],
    )
    return answers


def on_dashboards(house: House, answer: Answer) -> Said:
    """The same of the lines that dashboards read, of which one is the page's own."""
    said, body = Said(), {"size": 100, "query": {"term": {"request_id": answer.json["request_id"]}}}
    for stream in ("impressions", "requests"):
        name = f"{faults.PREFIX}{stream}"
        if house.cluster.command("POST", f"/{name}/_refresh")[0] == 404:
            continue  # made at the first line
        said += [set(hit["_source"]["degraded"]) for hit in house.cluster.search(name, body, 10.0)]
    return said


def is_on_dashboards(house: House, answer: Answer, dropped_before: int) -> bool:
    """All of it, as it was; or less, and counted, when the node went away before all was written."""
    said, whole = on_dashboards(house, answer), wanted(answer, 1)
    return said == whole or (said == whole[: len(said)] and dropped(house) > dropped_before)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_fault_is_told_in_time_counted_recorded_as_what_it_was_and_over_when_it_is_over(
    house: House, case: Case
) -> None:
    assert in_the_end(lambda: all(is_whole(answer) for answer in asked(house)))
    whole, before, lost = house.service.get(SEARCH), failures(house.service), dropped(house)
    with case.fault(house):
        answers = in_trouble(house, case, before)
    assert all(answer.headers["Cache-Control"] == "no-store" for answer in [whole, *answers])
    for answer in answers:
        if answer.status != 200:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert int(answer.headers["Retry-After"]) > 0
    assert in_the_end(lambda: all(is_whole(answer) for answer in asked(house)))
    for answer in answers:
        assert in_the_end(lambda: in_events(house.parts.events, answer) == wanted(answer), 20), answer.body  # noqa: B023
        is_there = in_the_end(lambda: is_on_dashboards(house, answer, lost), 20)  # noqa: B023
        assert is_there, (answer.body, on_dashboards(house, answer), dropped(house) - lost)
    assert in_the_end(lambda: in_events(house.parts.events, whole) == wanted(whole), 20), whole.body
    cursors = [cursor for answer in answers if (cursor := answer.json.get("cursor"))]
    later = [house.service.get(f"/v1/search?cursor={cursor}&limit=5") for cursor in cursors]
    assert all(answer.json["degraded"] for answer in later)
    assert later or case.status != PAGE
