"""The operator pages: what they show of releases, decisions, traffic and days; and their buttons."""

from datetime import UTC, date, datetime
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from reelrank.app.release.staging import start_trial
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.web.ops.activity import count_minutes
from reelrank.app.web.ops.overview import Operations
from reelrank.app.wiring import Container, build_release_manager, warm_service
from reelrank.index_mappings.event import Event
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.evaluation.served.days import ServedDay, ServedDays, write_days
from reelrank.ranking.registry.decisions import Check, Decision, FileHistory, StepOutcome
from reelrank.ranking.registry.releases import Canary
from tests.operator_reports import write_reports
from tests.page_client import open_pages
from tests.sample_project import add_model, build_project

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
CONFIRMED = {"confirmed": "yes"}


@pytest.fixture
def parts(tmp_path: Path) -> Container:
    parts = build_project(tmp_path, datetime.now(UTC))
    for seed, model in enumerate(("first", "second")):
        add_model(parts, model, seed)
        build_release_manager(parts).promote_model(model)
    return parts


@pytest.fixture
def operations(parts: Container) -> Operations:
    history = FileHistory(parts.settings.loop_dir)
    return Operations(
        build_release_manager(parts), history, parts.settings.reports_dir, parts.settings.loads_dir
    )


@pytest.fixture
def operator(parts: Container, operations: Operations) -> FlaskClient:
    options = WebOptions(1_000_000, parts.settings.reports_dir, operations=operations)
    return open_pages(create_app(warm_service(parts), options))


def find_release(operations: Operations, model: str) -> str:
    return next(release.id for release in operations.releases.list_releases() if release.model == model)


def read_serving_model(operations: Operations) -> str:
    pointer = operations.releases.store.read_pointer()
    assert pointer is not None
    return pointer.serving.model


def test_nothing_is_claimed_before_anything_is_decided_or_measured(operator: FlaskClient) -> None:
    text = operator.get("/ops").text
    assert "The loop has decided nothing yet" in text
    assert "Nothing is measured yet" in text
    assert "line-chart" not in text


def test_releases_stand_beside_the_sentence_that_decided_about_them(
    operator: FlaskClient, operations: Operations
) -> None:
    release = find_release(operations, "second")
    check = Check(name="order", passed=False, sentence="NDCG@10 is <lower> by 0.02")
    operations.history.append(
        Decision(
            run="r1", step="gate", at=NOW, outcome=StepOutcome.REFUSED, verdict="the order is worse",
            release=release, checks=(check,), figures={"difference": -0.02},
        )
    )  # fmt: skip
    text = operator.get("/ops").text
    assert text.count(release) >= 2
    assert "gate: refused" in text
    row = text.split(f"{release}</a></th>")[1].split("</tr>")[0]
    assert "serving" in row
    assert "the order is worse" in row
    detail = unescape(operator.get(f"/ops/releases/{release}").text)
    assert "NDCG@10 is <lower> by 0.02" in detail
    assert "difference: -0.02" in detail


def test_a_dropped_release_keeps_its_page_of_decisions(operator: FlaskClient, operations: Operations) -> None:
    operations.history.append(
        Decision(
            run="r1", step="gate", at=NOW, outcome=StepOutcome.REFUSED, verdict="too few requests",
            release="release-refused",
        )
    )  # fmt: skip
    assert 'href="/ops/releases/release-refused"' in operator.get("/ops").text
    page = operator.get("/ops/releases/release-refused")
    assert page.status_code == 200
    assert "This release was dropped" in page.text
    assert "too few requests" in page.text
    assert "Promote this release" not in page.text


def test_a_release_on_trial_says_so(operator: FlaskClient, operations: Operations) -> None:
    releases = operations.releases
    tried = releases.list_releases()[-1]
    pointer = releases.store.read_pointer()
    assert pointer is not None
    assert tried.id not in {release.id for _, release in pointer.list_uses()}
    start_trial(releases, Canary(release=tried, share=0.1, salt="t", since=NOW), None)
    assert "<dd>canary</dd>" in operator.get(f"/ops/releases/{tried.id}").text
    row = operator.get("/ops").text.split(f"{tried.id}</a></th>")[1].split("</tr>")[0]
    assert "<td>canary</td>" in row


def test_days_are_drawn_and_tabulated_with_their_intervals(
    operator: FlaskClient, operations: Operations
) -> None:
    days = tuple(
        ServedDay(date(2026, 1, n), 10 * n, n, 100, {"ctr": Interval(0.1 * n, 0.05 * n, 0.2 * n)})
        for n in (1, 2)
    )
    write_days(operations.reports_dir, ServedDays(NOW, True, days))
    text = operator.get("/ops").text
    assert "of simulated viewers only" in text
    assert text.count("<circle") == 2
    assert "20.0% (10.0% to 40.0%)" in text
    assert text.index(">2026-01-02</th>") < text.index(">2026-01-01</th>")


def test_traffic_counts_what_was_asked(operator: FlaskClient) -> None:
    for _ in range(3):
        operator.get("/v1/popular")
    row = operator.get("/ops").text.split(">/v1/popular</th>")[1].split("</tr>")[0]
    assert int(row.split('class="number">')[1].split("<")[0].replace(",", "")) >= 3


def test_a_release_is_promoted_and_rolled_back_by_confirmed_forms(
    operator: FlaskClient, operations: Operations
) -> None:
    first = find_release(operations, "first")
    assert "Promote this release" in operator.get(f"/ops/releases/{first}").text
    answer = operator.post("/ops/promote", data={"release": first, **CONFIRMED})
    assert (answer.status_code, answer.location) == (303, "/ops")
    assert read_serving_model(operations) == "first"
    assert "Promote this release" not in operator.get(f"/ops/releases/{first}").text
    assert operator.post("/ops/rollback", data=CONFIRMED).status_code == 303
    assert read_serving_model(operations) == "second"


@pytest.mark.parametrize(
    ("address", "form", "status"),
    [
        ("/ops/rollback", {}, 400),
        ("/ops/promote", {"confirmed": "no"}, 400),
        ("/ops/promote", {"release": "unknown", **CONFIRMED}, 404),
        ("/ops/promote", {"release": "../x", **CONFIRMED}, 404),
        ("/ops/rollback", {"csrf_token": "of another session", **CONFIRMED}, 403),
    ],
)
def test_other_forms_change_nothing(
    operator: FlaskClient, operations: Operations, address: str, form: dict[str, str], status: int
) -> None:
    assert operator.post(address, data=form).status_code == status
    assert read_serving_model(operations) == "second"


def test_an_unknown_release_is_a_page_with_a_code(operator: FlaskClient) -> None:
    page = operator.get("/ops/releases/unknown")
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "/problems/release_not_found" in page.text


def test_a_damaged_file_of_days_is_as_none(operator: FlaskClient, operations: Operations) -> None:
    operations.reports_dir.mkdir(parents=True, exist_ok=True)
    (operations.reports_dir / "served-days.json").write_text('{"days": [')
    assert "Nothing is measured yet" in operator.get("/ops").text


def test_parts_that_nothing_is_known_of_say_how_to_get_them(operator: FlaskClient) -> None:
    text = operator.get("/ops").text
    for sentence in (
        "Drift is not measured yet", "has an exploration slot", "No page of the last day is counted yet",
        "No load of files is recorded yet",
    ):  # fmt: skip
        assert sentence in text


def test_drift_is_named_and_drawn(operator: FlaskClient, parts: Container) -> None:
    write_reports(parts.settings)
    page = operator.get("/ops").text
    text = unescape(page)
    assert "1 of 9 distributions drifted: feature <0>" in text
    assert "nothing of the last 200 h" in text
    rows = page.split('aria-label="Drift"')[1].split("</table>")[0]
    assert rows.count('class="histogram"') == 1 + 1 + 5
    assert rows.count('class="drifted"') == 1
    assert "2 more features did not drift" in text
    metrics = operator.get("/metrics").text
    assert 'reelrank_drifted_series{kind="features"} 1.0' in metrics
    assert "reelrank_embeddings_age_seconds 720000.0" in metrics


def test_exploration_sources_and_loads_show_what_came_of_them(
    operator: FlaskClient, parts: Container
) -> None:
    write_reports(parts.settings)
    text = operator.get("/ops").text
    explored = text.split('aria-label="Exploration"')[1].split("</table>")[0]
    assert "10.0% (5.0% to 20.0%)" in explored
    assert "NDCG" not in explored
    assert "exploration costs 9.0 (3.0 to 15.0) uses in 1,000 pages. Fewer than 100 picks" in text
    row = text.split(">factors</th>")[1].split("</tr>")[0]
    cells = [cell.split("<")[0] for cell in row.split('class="number">')[1:]]
    assert cells == ["450", "50.0%", "99", "30", "3"]
    loads = text.split('aria-label="Loads"')[1].split("</table>")[0]
    assert loads.index("refused: too_many_rejects") < loads.index("items-1")


def test_events_of_the_last_hour_are_counted_by_minute(operator: FlaskClient, parts: Container) -> None:
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    times = [now_ms - 30_000, now_ms - 31_000, now_ms - 45 * 60_000, now_ms - 61 * 60_000]
    parts.events.append([Event(f"now-{n}", "click", "u1", at, "sea1") for n, at in enumerate(times)])
    assert "243 events in the last 60 minutes" in operator.get("/ops").text  # the project has 240
    assert sum(count_minutes(parts.events, datetime.now(UTC)).tolist()[-3:]) == 2
