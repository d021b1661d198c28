"""The capacity plan: figures checked by hand, what they depend on, and the options of the command."""

import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from reelrank.app.capacity.assumptions import (
    Assumptions,
    Rate,
    build_assumptions,
    list_measured,
    load_committed_rates,
)
from reelrank.app.capacity.made_up_pages import (
    PageSizes,
    make_up_candidates,
    make_up_events,
    make_up_requests,
)
from reelrank.app.capacity.plan import find_sensitivity, plan_capacity
from reelrank.app.capacity.plot import write_sensitivity_plot
from reelrank.app.cli.main import app
from reelrank.app.cli.traffic.capacity import format_number

GIVEN = build_assumptions({}, {})[0]
ROUND = {
    "request_ms": 10, "candidate_us": 5, "response_bytes": 50_000, "hop_bytes": 200, "impression_bytes": 30,
    "group_row_bytes": 50, "event_bytes": 20, "store_event_bytes": 300, "learning_s": 12,
}  # fmt: skip


def plan(**stated: float) -> dict[str, tuple[float, float]]:
    given, _ = build_assumptions({**ROUND, **stated}, {})
    return {figure.name: (figure.low, figure.high) for figure in plan_capacity(given, 70)}


def test_the_traffic_of_the_primer_is_750_billion_impressions_and_0_4_pb() -> None:
    figures = plan()
    assert figures["impressions a month"] == (750e9, 750e9)
    assert figures["a month at 500 bytes an impression"][0] == pytest.approx(0.375)
    assert figures["pages a second, on average"][0] == pytest.approx(2893.5, abs=0.1)


def test_figures_follow_from_the_assumptions_as_computed_by_hand() -> None:
    figures = plan()
    assert figures["cores"] == (300_000, 1_200_000)  # 10 million x 15 and 60 ms, half busy
    assert figures["machines"] == (9_375, 37_500)
    assert figures["answers"][0] == pytest.approx(4.0)
    assert figures["to a ranking service of its own"] == pytest.approx((16.0, 160.0))
    assert figures["shown items and requests a month"][0] == pytest.approx(22.5)
    assert figures["whole groups a month"] == pytest.approx((33.75, 371.25))
    assert figures["CPU to attribute and build a day"][0] == pytest.approx(25_000 * 12 / 3600)
    assert figures["memory of its training set"][0] == pytest.approx(0.28)


def test_machines_are_as_many_as_the_network_needs_where_it_needs_more() -> None:
    assert plan(node_gbit=0.1)["machines"] == (80_000, 80_000)  # 4 Tbit/s over half of 0.1 Gbit/s each


def test_what_was_stated_wins_over_what_was_measured() -> None:
    measured = {"request_ms": Rate(99, "now"), "candidate_us": Rate(7, "now")}
    given, sources = build_assumptions({"request_ms": 3}, measured)
    assert (given.request_ms, given.candidate_us) == (3, 7)
    assert (sources["request_ms"], sources["candidate_us"]) == ("stated", "now")
    assert sources["users"] == "assumed"
    assert "benchmarks lake" in sources["impression_bytes"]


def test_every_measured_rate_is_committed_with_its_source() -> None:
    assert set(load_committed_rates()) == set(list_measured())
    assert all(rate.value > 0 and rate.source for rate in load_committed_rates().values())


@pytest.mark.parametrize(
    ("name", "value"), [("users", 0), ("utilisation", 1.5), ("node_gbit", -1), ("copies", float("inf"))]
)
def test_a_value_that_cannot_be_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        build_assumptions({name: value}, {})


def test_halving_and_doubling_show_what_the_plan_depends_on() -> None:
    found = {one.assumption: one for one in find_sensitivity(GIVEN, "serving")}
    nodes = find_sensitivity(GIVEN, "serving")[0]
    assert nodes.assumption in ("requests_per_second", "utilisation", "cores_per_node")
    assert found["requests_per_second"].doubled == pytest.approx(4 * found["requests_per_second"].halved)
    assert "users" not in found
    stored = {one.assumption for one in find_sensitivity(GIVEN, "stored")}
    assert {"copies", "views_per_month", "log_share"} <= stored
    assert "request_ms" not in stored


def test_a_share_is_never_doubled_beyond_one() -> None:
    full = replace(GIVEN, utilisation=0.9)
    found = {one.assumption: one for one in find_sensitivity(full, "serving")}
    assert found["utilisation"].doubled == pytest.approx(found["utilisation"].halved * 0.45)


def test_the_plot_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one.svg", "other.svg"):
        write_sensitivity_plot(GIVEN, tmp_path / name)
    one, other = ((tmp_path / name).read_text() for name in ("one.svg", "other.svg"))
    assert one == other
    assert "requests per second" in one


def test_the_plot_in_the_documentation_is_that_of_the_committed_rates(tmp_path: Path) -> None:
    write_sensitivity_plot(GIVEN, tmp_path / "now.svg")
    committed = Path(__file__).parents[4] / "docs" / "capacity.svg"
    texts = [
        re.findall(r">([^<>\n]+)</text>", file.read_text()) for file in (committed, tmp_path / "now.svg")
    ]
    assert texts[0] == texts[1]


def test_each_assumption_is_an_option_and_is_printed_with_its_source() -> None:
    result = CliRunner().invoke(app, ["capacity", "--json", "--users", "5e6", "--log-share", "0"])
    assert result.exit_code == 0, result.output
    plan = orjson.loads(result.output)
    assert set(plan["assumptions"]) == {one.name for one in fields(Assumptions)}
    assert plan["assumptions"]["users"] == {
        "value": 5e6, "unit": "users", "meaning": "Viewers.", "source": "stated",
    }  # fmt: skip
    groups = next(figure for figure in plan["figures"] if figure["name"] == "whole groups a month")
    assert (groups["low"], groups["high"]) == (0, 0)
    assert plan["sensitivity"]["serving"]


def test_the_table_names_candidates_and_assumptions() -> None:
    result = CliRunner().invoke(app, ["capacity", "--wide"])
    assert result.exit_code == 0, result.output
    assert "impressions a month" in result.output
    assert "750 billion" in result.output
    assert "python -m benchmarks request" in result.output


def test_a_wrong_value_ends_the_command_with_its_name() -> None:
    result = CliRunner().invoke(app, ["capacity", "--utilisation", "2"])
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("value", "text"), [(0.0001432, "0.000143"), (14.2, "14.2"), (283_200, "283,200"), (1.5e10, "15 billion")]
)
def test_numbers_are_printed_for_people(value: float, text: str) -> None:
    assert format_number(value) == text


def test_made_up_pages_have_the_shares_of_the_primer() -> None:
    sizes, rng = PageSizes(200, group=300), np.random.default_rng(0)
    requests = make_up_requests(sizes)
    candidates = make_up_candidates(requests, sizes, rng)
    events = make_up_events(candidates, rng)
    shown, whole = (sum(candidates[name].to_pylist()) for name in ("shown", "is_whole_group"))
    assert shown == 20_000
    watches = events["kind"].to_pylist().count("watch")
    assert watches / 20_000 == pytest.approx(0.02, abs=0.005)
    assert len(candidates) == 20_000 + 200 * whole / 300
