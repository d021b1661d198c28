"""Errors of a server: the message is for answers, the cause for operators."""

from hypothesis import given
from hypothesis import strategies as st

from reelrank.app.engines.server.transport.access import build_connection_error
from reelrank.app.engines.server.transport.failures import build_error
from reelrank.index_mappings.errors import Conflict, NotFound, Throttled, Timeout, Unavailable, explain

WORDS = st.from_regex(r"[A-Z][a-z]{4}_[a-z]{4}_exception", fullmatch=True)
STATUSES = st.sampled_from([400, 401, 403, 404, 405, 408, 409, 413, 429, 500, 502, 503, 504])


@given(STATUSES, WORDS, WORDS, WORDS)
def test_what_a_server_says_is_the_cause_and_not_in_the_message(
    status: int, kind: str, reason: str, nested: str
) -> None:
    reply = {"error": {"type": kind, "reason": reason, "root_cause": [{"reason": nested}]}}
    error = build_error(status, reply, "search of items on opensearch")
    assert [word for word in (kind, reason, nested) if word in str(error)] == []
    assert [word for word in (kind, reason, nested) if word not in explain(error)] == []
    assert str(status) in str(error)


def test_the_kind_of_failure_follows_from_status_and_type() -> None:
    blocked = {"error": {"type": "cluster_block_exception", "reason": "index [x] blocked by [8]"}}
    assert [build_error(status, {}, "x").code for status in (404, 408, 409, 429, 504)] == [
        kind.code for kind in (NotFound, Timeout, Conflict, Throttled, Timeout)
    ]
    assert build_error(403, blocked, "x").code == "writes_blocked"
    assert build_error(401, {}, "x").code == "engine_access_denied"


def test_a_lost_connection_does_not_quote_the_client() -> None:
    error = build_connection_error("elasticsearch", "HTTPConnectionPool(host='10.0.0.7', port=9200)", None)
    assert isinstance(error, Unavailable)
    assert "10.0.0.7" not in str(error)
    assert "10.0.0.7" in explain(error)
