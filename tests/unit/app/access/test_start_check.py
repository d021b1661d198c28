"""A service that others reach does not start without keys, unless it is told to."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.access.key_store import KeyStore
from reelrank.app.access.start_check import KeysMissing, check_access, is_loopback
from reelrank.app.settings import Settings
from tests.raised import raises_code

SECRET = "s" * 32


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("", False), ("no-such-name.invalid", False)],
)  # fmt: skip
def test_loopback_is_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("role", ["all", "ranking"])
def test_beyond_loopback_no_key_is_a_reason_not_to_start(tmp_path: Path, role: str) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "role": role})
    with raises_code(KeysMissing, "keys_missing", match=r"0\.0\.0\.0.*REELRANK_INSECURE=1"):
        check_access(settings, ["0.0.0.0"])
    assert check_access(settings, ["127.0.0.1", ""]) == (False, "")


def test_keys_are_required_on_loopback_when_a_setting_says_so(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "keys_required": True})
    with raises_code(KeysMissing, "keys_missing"):
        check_access(settings, ["127.0.0.1"])
    KeyStore(settings.keys_dir, lambda: datetime.now(UTC)).create("a", ("read",))
    assert check_access(settings, ["127.0.0.1"]) == (True, "")
    relaxed = settings.model_copy(update={"keys_required": False})
    assert check_access(relaxed, ["127.0.0.1"]) == (False, "")
    assert check_access(relaxed, ["0.0.0.0"]) == (True, "")


def test_insecure_starts_with_a_warning_that_names_the_address(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "insecure": True})
    is_required, warning = check_access(settings, ["0.0.0.0"])
    assert not is_required
    assert "REELRANK_INSECURE" in warning
    assert "0.0.0.0" in warning


def test_role_ranking_needs_the_key_of_its_setting(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "role": "ranking", "ranking_key": SECRET})
    assert check_access(settings, ["0.0.0.0"]) == (True, "")
    assert SECRET not in repr(settings)


def test_lists_of_names_are_separated_by_commas() -> None:
    settings = Settings.model_validate(
        {"hosts": "A.example, b.example", "cors_origins": "https://a.example/"}
    )
    assert settings.hosts == ("a.example", "b.example")
    assert settings.cors_origins == ("https://a.example",)
