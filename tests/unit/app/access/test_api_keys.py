"""API keys: only a hash is kept, others cannot open the files, and a change is seen after a moment."""

import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.access.api_keys import ApiKey, format_key, is_secret_of, parse_key
from reelrank.app.access.audit_log import AuditLog
from reelrank.app.access.authenticator import KeyAuthenticator, RankingKey, TooManyAttempts
from reelrank.app.access.key_store import KeyFileError, KeyNotFound, KeyStore
from tests.raised import raises_code


def now() -> datetime:
    return datetime(2026, 11, 27, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys", now)


def test_a_key_is_valid_until_it_is_revoked(store: KeyStore) -> None:
    key, text = store.create("shop", ("read", "events"))
    keys = KeyAuthenticator(store, refresh_s=0)
    assert keys.authenticate(text) == key
    assert (key.allows("read"), key.allows("write")) == (True, False)
    store.revoke(key.key_id)
    assert keys.authenticate(text) is None
    assert not store.has_valid_key()


def test_a_rotated_key_keeps_its_id_and_loses_its_secret(store: KeyStore) -> None:
    key, old = store.create("shop", ("read",))
    keys = KeyAuthenticator(store, refresh_s=0)
    assert keys.authenticate(old) is not None
    rotated, new = store.rotate(key.key_id)
    assert rotated.key_id == key.key_id
    assert keys.authenticate(old) is None
    assert keys.authenticate(new) == rotated


def test_a_revocation_is_seen_after_the_refresh_at_the_latest(store: KeyStore) -> None:
    key, text = store.create("shop", ("read",))
    slow, fast = KeyAuthenticator(store, refresh_s=3600), KeyAuthenticator(store, refresh_s=0)
    assert slow.authenticate(text) is not None
    store.revoke(key.key_id)
    assert slow.authenticate(text) is not None
    assert fast.authenticate(text) is None


def test_files_of_keys_are_for_their_owner_alone(store: KeyStore) -> None:
    _, text = store.create("shop", ("admin",))
    store.read_session_secret()
    AuditLog(store.directory, now).record("k", "POST /", "200")
    old_mask = os.umask(0)
    try:
        store.create("second", ("read",))
    finally:
        os.umask(old_mask)
    for path in (store.directory, *store.directory.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert text.rpartition("_")[2] not in store.path.read_text()


def test_a_verified_key_pays_no_scrypt_again(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = list[str]()

    def count(key: ApiKey, secret: str) -> bool:
        hashed.append(secret)
        return is_secret_of(key, secret)

    monkeypatch.setattr("reelrank.app.access.authenticator.is_secret_of", count)
    _, text = store.create("shop", ("read",))
    keys = KeyAuthenticator(store, refresh_s=0)
    for _ in range(5):
        assert keys.authenticate(text) is not None
    assert len(hashed) == 1


def test_wrong_secrets_are_refused_and_then_slowed_down(store: KeyStore) -> None:
    key, text = store.create("shop", ("read",))
    keys = KeyAuthenticator(store, refresh_s=0)
    assert keys.authenticate(text) is not None
    wrong = format_key(key.key_id, "x" * 43)
    with raises_code(TooManyAttempts, "too_many_attempts"):
        for _ in range(100):
            assert keys.authenticate(wrong) is None
    assert keys.authenticate(text) is not None


@pytest.mark.parametrize(
    "text", ["", "rr_", "rr_a_b", "Bearer", "rr_" + "a" * 8 + "_" + "é" * 43, "x" * 10_000]
)
def test_other_texts_are_no_keys(store: KeyStore, text: str) -> None:
    assert parse_key(text) is None
    assert KeyAuthenticator(store, refresh_s=0).authenticate(text) is None


def test_an_unknown_key_cannot_be_revoked(store: KeyStore) -> None:
    with raises_code(KeyNotFound, "key_not_found"):
        store.revoke("unknown0")


def test_a_damaged_file_is_an_error_without_its_content_and_lets_nobody_in(store: KeyStore) -> None:
    _, text = store.create("shop", ("read",))
    store.path.write_text(store.path.read_text().replace('"name"', '"nome"'))
    assert KeyAuthenticator(store, refresh_s=0).authenticate(text) is None
    with raises_code(KeyFileError, "key_file_unusable") as raised:
        store.read()
    assert not re.search("[0-9a-f]{32}", str(raised.value))


def test_the_ranking_key_is_the_whole_text_of_the_setting() -> None:
    key = RankingKey("s" * 32)
    assert key.authenticate("s" * 32) is not None
    assert key.authenticate("s" * 31) is None


def test_the_audit_log_is_read_newest_first_and_stays_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelrank.app.access.audit_log.MAX_BYTES", 500)
    log = AuditLog(tmp_path, now)
    for number in range(60):
        log.record("k", f"POST /{number}", "200")
    calls = [entry.call for entry in log.read(3)]
    assert calls == ["POST /59", "POST /58", "POST /57"]
    assert len(list(tmp_path.glob("audit*.jsonl"))) == 5
    assert all(path.stat().st_size < 700 for path in tmp_path.glob("audit*.jsonl"))


def test_a_line_that_a_kill_cut_hides_no_later_entry(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, now)
    log.record("k", "POST /1", "200")
    log.path.write_bytes(log.path.read_bytes() + b'{"at": "20')
    log.record("k", "POST /2", "200")
    assert [entry.call for entry in log.read(10)] == ["POST /2", "POST /1"]
