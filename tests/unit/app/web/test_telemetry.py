"""The log: a traceback shows where a call failed, and no values; causes of failures do not flood it."""

import pytest
import structlog
from structlog.testing import capture_logs

from reelrank.app.web import telemetry
from reelrank.app.web.telemetry import configure_logging, count_not_recorded, log_cause
from reelrank.index_mappings.errors import Unavailable


def test_a_traceback_on_the_console_shows_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(as_json=False)
    password = "hunter" + "2"
    try:
        int(password)
    except ValueError:
        structlog.get_logger("test").exception("a call failed")
    printed = capsys.readouterr().err
    structlog.reset_defaults()
    assert "a call failed" in printed
    assert "password = " not in printed.replace('password = "hunter" + "2"', "")
    assert "hunter2'" in printed  # in the message of the error itself, which the code that raises it controls


def test_each_reason_why_pages_are_not_recorded_is_logged_once_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr("reelrank.app.web.telemetry.time.monotonic", lambda: now[0])
    monkeypatch.setattr(telemetry, "_logged_causes", {})
    with capture_logs() as logs:
        for later_s in (0.0, 59.0, 2.0):
            now[0] += later_s
            count_not_recorded("the queue is full")
            count_not_recorded("the lake is away")
    assert [entry["reason"] for entry in logs] == ["the queue is full", "the lake is away"] * 2


def test_the_cause_of_a_failure_is_logged_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("reelrank.app.web.telemetry.time.monotonic", lambda: now[0])
    monkeypatch.setattr(telemetry, "_logged_causes", {})
    lost, silent = Unavailable("elasticsearch cannot be reached"), Unavailable("nothing is loaded")
    lost.cause = "HTTPConnectionPool(host='10.0.0.7')"
    with capture_logs() as logs:
        for later_s in (0.0, 59.0, 2.0):
            now[0] += later_s
            log_cause(lost)
            log_cause(silent)
    assert [entry["reason"] for entry in logs] == [f"{lost} ({lost.cause})"] * 2
