"""The log: a traceback shows where a call failed, and no values."""

import pytest
import structlog

from reelrank.app.web.telemetry import configure_logging


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
