"""What is served next, what is refused at once, and how many requests run at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelrank.app.serving.admission import NEVER_REFUSED, PRIORITY, Admission, Kind, classify

LINES: dict[str, Kind] = {
    "GET /livez HTTP/1.1": "health", "GET /metrics HTTP/1.1": "health", "POST /v1/events HTTP/1.1": "events",
    "POST /like HTTP/1.1": "events", "GET /v1/search?q=livez HTTP/1.1": "search",
    "GET /search?q=a HTTP/1.1": "search",
    "POST /v1/score/current HTTP/1.1": "search", "GET / HTTP/1.1": "home", "GET /?since=a HTTP/1.1": "home",
    "GET /v1/recommendations?user=u HTTP/1.1": "home", "GET /v1/items/a/b/similar HTTP/1.1": "similar",
    "GET /film/a HTTP/1.1": "similar", "GET /why/a/1 HTTP/1.1": "explain",
    "GET /v1/search?q=a&explain=true HTTP/1.1": "explain", "PUT /v1/items/a HTTP/1.1": "other", "": "other",
    "GET /livezilla HTTP/1.1": "other", "POST /v1/models/m:promote HTTP/1.1": "admin",
    "DELETE /v1/users/a HTTP/1.1": "admin", "POST /ops/rollback HTTP/1.1": "admin",
    "GET /opsis HTTP/1.1": "other", "GET /v1/eventsearch HTTP/1.1": "other",
}  # fmt: skip


@pytest.mark.parametrize(("line", "kind"), LINES.items())
def test_the_request_line_tells_the_kind(line: str, kind: Kind) -> None:
    assert classify(line.encode()) == kind


SEARCHES: list[Kind] = ["search"] * 20
EVENTS: list[Kind] = ["events"] * 300
OTHERS: list[Kind] = ["other"] * 20


def fill(admission: Admission[str], *kinds: Kind) -> list[bool]:
    return [admission.offer(kind, kind, 0.0) for kind in kinds]


def serve_one(admission: Admission[str], now: float) -> str | None:
    waiting, _ = admission.take(now)
    return waiting.entry if waiting else None


def test_an_idle_worker_takes_a_request_however_slow_its_kind_is() -> None:
    admission = Admission[str](budget_s=0.1, max_limit=2)
    for _ in range(50):
        assert fill(admission, "home") == [True]
        assert serve_one(admission, 0.0) == "home"
        admission.finish("home", 5.0)


def test_what_waits_is_served_by_priority() -> None:
    admission = Admission[str](budget_s=10.0, max_limit=1)
    fill(admission, "explain", "home", "search", "similar", "events", "health")
    served = list[str | None]()
    for _ in range(6):
        served.append(serve_one(admission, 0.0))
        admission.finish("other", 0.02)
    assert served == ["health", "events", "search", "home", "similar", "explain"]


def test_a_probe_does_not_wait_for_requests_in_progress() -> None:
    admission = Admission[str](budget_s=10.0, max_limit=1)
    fill(admission, "search", "search", "health")
    assert serve_one(admission, 0.0) == "health"
    assert serve_one(admission, 0.0) is None
    admission.finish("health", 0.001)
    assert serve_one(admission, 0.0) == "search"


def test_what_cannot_be_answered_in_time_is_refused_and_events_are_not() -> None:
    admission = Admission[str](budget_s=0.1, max_limit=1)
    answers = fill(admission, *SEARCHES)
    assert 1 <= sum(answers) <= 6
    assert answers == sorted(answers, reverse=True)
    assert all(fill(admission, *EVENTS, "health"))


def test_a_request_whose_time_passed_in_the_queue_is_refused_not_served() -> None:
    admission = Admission[str](budget_s=0.1, max_limit=2)
    fill(admission, "search", "search", "search")
    assert serve_one(admission, 0.0) == "search"
    waiting, expired = admission.take(5.0)
    assert waiting is None
    assert [late.entry for late in expired] == ["search", "search"]


def test_the_limit_falls_when_requests_slow_down_and_rises_again() -> None:
    admission = Admission[str](budget_s=100.0, max_limit=8)

    def run(seconds: float, count: int) -> float:
        for _ in range(count):
            fill(admission, "search", "search")
            admission.take(0.0)
            admission.finish("search", seconds)
        return admission.limit

    run(0.01, 20)
    assert run(0.1, 60) < 5
    assert run(0.01, 300) > 6


def test_slow_requests_do_not_shut_out_the_others_of_their_kind() -> None:
    admission = Admission[str](budget_s=1.0, max_limit=8)
    for seconds in [0.005] * 20 + [60.0] * 40:
        fill(admission, "other")
        assert serve_one(admission, 0.0) == "other"
        admission.finish("other", seconds)
    for _ in range(int(admission.limit)):  # no thread is free, and nobody waits
        fill(admission, "search")
        assert serve_one(admission, 0.0) == "search"
    answers = fill(admission, *OTHERS)
    assert not answers[0]
    assert True in answers


def test_promotions_are_never_refused_and_leave_threads_to_viewers() -> None:
    admission = Admission[str](budget_s=0.1, max_limit=2)
    assert all(fill(admission, "admin", "admin", "admin", "admin", "search"))
    assert [serve_one(admission, 0.0) for _ in range(3)] == ["admin", "search", None]
    admission.finish("search", 0.01)
    assert fill(admission, "search") == [True]
    assert serve_one(admission, 0.0) == "search"
    admission.finish("admin", 30.0)
    assert serve_one(admission, 0.0) == "admin"


@given(st.lists(st.tuples(st.sampled_from(sorted(PRIORITY)), st.floats(0, 2), st.booleans()), max_size=200))
def test_counts_stay_right_whatever_happens(steps: list[tuple[Kind, float, bool]]) -> None:
    admission, now, running, offered, gone = Admission[str](0.3, 4), 0.0, list[Kind](), 0, 0
    for kind, seconds, is_arrival in steps:
        now += seconds / 10
        if is_arrival:
            is_admitted = admission.offer(kind, kind, now)
            assert is_admitted or kind not in NEVER_REFUSED
            offered += is_admitted
        elif running:
            admission.finish(running.pop(), seconds)
        waiting, expired = admission.take(now)
        assert all(late.kind not in NEVER_REFUSED for late in expired)
        gone += len(expired) + (waiting is not None)
        running += [waiting.kind] if waiting else []
        assert admission.in_progress == len(running)
        assert 1 <= admission.limit <= 4
    assert gone <= offered
