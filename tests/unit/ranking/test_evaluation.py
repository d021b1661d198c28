"""Evaluation of hand-made judged requests with known values."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from reelrank.index_mappings.match import Matches, encode_item_ids
from reelrank.index_mappings.query import Query
from reelrank.ranking.evaluation.candidate_recall import ALL_SOURCES, measure_candidate_recall
from reelrank.ranking.evaluation.comparison import Evaluation, ProbabilityFunction, evaluate
from reelrank.ranking.evaluation.intervals import bootstrap_intervals
from reelrank.ranking.evaluation.judged_request import SIMULATED_SEARCH, JudgedRequest
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.retrieval.fusion import fuse
from reelrank.ranking.viewers.history import build_anonymous_viewer
from reelrank.ranking.viewers.request import RankingRequest


class FirstFeature:
    """Ranks by the first feature."""

    name = "first-feature"
    feature_names = ("wanted",)

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return features[:, 0]

    def compute_contributions(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.zeros((len(features), 2), np.float32)


def build_matches(source: str, *ids: str) -> Matches:
    return Matches(source, encode_item_ids(ids), np.arange(len(ids), 0, -1).astype(np.float32))


def build_judged_request(
    matches: list[Matches], gains: dict[str, float], kind: str = "home"
) -> JudgedRequest:
    candidates = fuse(matches)
    wanted = np.isin(candidates.ids, encode_item_ids(gains))
    return JudgedRequest(
        RankingRequest(Query(), build_anonymous_viewer(), {}),
        candidates,
        encode_item_ids(gains),
        np.array(list(gains.values()), np.float32),
        kind,
        wanted[:, None].astype(np.float32),
        np.zeros(len(candidates), np.float32),
        np.zeros(len(candidates), np.float32),
        np.arange(len(candidates)),
    )


def evaluate_order(
    requests: list[JudgedRequest], ranker: Ranker, to_probabilities: ProbabilityFunction | None = None
) -> Evaluation:
    return evaluate([request.rerank(ranker) for request in requests], ranker.name, to_probabilities)


def build_home_request() -> JudgedRequest:
    return build_judged_request(
        [build_matches("recent", "a", "b"), build_matches("popular", "b", "c")], {"c": 1.0, "z": 1.0}
    )


def build_search_request() -> JudgedRequest:
    return build_judged_request([build_matches("bm25", "x", "y")], {"y": 2.0}, "search")


def test_gains_are_found_by_id_in_any_order() -> None:
    judged = build_judged_request(
        [build_matches("recent", "a", "b", "c")], {"c": 3.0, "a": 1.0, "unseen": 9.0}
    )
    assert judged.compute_candidate_gains().tolist() == [1.0, 0.0, 3.0]


def test_a_perfect_ranker_has_the_expected_measures() -> None:
    evaluation = evaluate_order([build_home_request(), build_search_request()], FirstFeature())
    first_of_two = 1 / (1 + 1 / np.log2(3))  # one of two equally relevant items was retrieved, and is first
    assert evaluation.collect_metrics("lambdarank")["ndcg@10"].value == pytest.approx((first_of_two + 1) / 2)
    assert evaluation.collect_metrics("lambdarank")["precision@10"].value == pytest.approx(0.1)
    assert evaluation.collect_metrics("lambdarank")["recall@100"].value == pytest.approx(0.75)
    assert evaluation.collect_metrics("lambdarank")["pairwise_loss"].value == 0


def test_engine_order_as_ranker_is_the_fused_order() -> None:
    evaluation = evaluate_order([build_home_request(), build_search_request()], FusedOrder())
    assert evaluation.collect_metrics("lambdarank") == evaluation.collect_metrics("fused")
    assert (evaluation.find_difference().low, evaluation.find_difference().high) == (0, 0)


def test_items_that_a_source_did_not_find_are_not_retrieved() -> None:
    evaluation = evaluate_order([build_home_request()], FirstFeature())
    assert evaluation.collect_metrics("recent")["recall@100"].value == 0
    assert evaluation.collect_metrics("popular")["recall@100"].value == 0.5
    assert (
        evaluation.collect_metrics("popular")["ndcg@10"].value
        < evaluation.collect_metrics("lambdarank")["ndcg@10"].value
    )


def test_each_kind_lists_the_sources_it_used() -> None:
    evaluation = evaluate_order([build_home_request(), build_search_request()], FirstFeature())
    assert evaluation.list_systems("search") == ("popularity", "bm25", "fused", "lambdarank")
    assert evaluation.list_systems("home") == ("popularity", "recent", "popular", "fused", "lambdarank")
    assert evaluation.collect_metrics("bm25")["recall@100"].value == 0.5  # used in one of two requests
    assert evaluation.requests == {"all": 2, "home": 1, "search": 1, "0 past watches": 2}


def test_simulated_searches_are_apart_and_in_no_other_figure() -> None:
    made_up = replace(build_search_request(), kind=SIMULATED_SEARCH)
    alone = evaluate_order([build_home_request()], FirstFeature())
    both = evaluate_order([build_home_request(), made_up], FirstFeature())
    assert both.requests == {**alone.requests, SIMULATED_SEARCH: 1}
    assert [r for r in both.results if r.kind != SIMULATED_SEARCH] == list(alone.results)
    with pytest.raises(ValueError, match="no judged requests"):
        evaluate_order([made_up], FirstFeature())


def test_ties_keep_the_candidates_order() -> None:
    evaluation = evaluate_order([build_home_request()], FirstFeature())
    popularity, fused = (evaluation.collect_metrics(system)["ndcg@10"] for system in ("popularity", "fused"))
    assert popularity == fused


def test_nothing_retrieved_and_nothing_relevant_count_zero() -> None:
    nothing_found = build_judged_request([], {"a": 1.0})
    nothing_relevant = build_judged_request([build_matches("recent", "a")], {})
    evaluation = evaluate_order([nothing_found, nothing_relevant], FirstFeature())
    assert evaluation.collect_metrics("lambdarank")["ndcg@10"].value == 0
    assert "pairwise_loss" not in evaluation.collect_metrics("lambdarank")


def test_logloss_is_measured_only_with_probabilities() -> None:
    evaluation = evaluate_order(
        [build_home_request()], FirstFeature(), to_probabilities=lambda scores: scores * 0.5 + 0.25
    )
    assert evaluation.collect_metrics("lambdarank")["logloss"].value == pytest.approx(-np.log(0.75))
    assert "logloss" not in evaluation.collect_metrics("fused")


def test_an_evaluation_round_trips_through_json() -> None:
    evaluation = evaluate_order([build_home_request(), build_search_request()], FirstFeature())
    assert Evaluation.from_json(json.dumps(evaluation.to_dict())) == evaluation


def test_a_quality_table_has_a_row_per_system() -> None:
    heading, *rows = evaluate_order(
        [build_home_request(), build_search_request()], FirstFeature()
    ).build_quality_rows()
    assert heading == ("system", "ndcg@10", "precision@10", "recall@100", "pairwise_loss")
    assert [row[0] for row in rows] == ["popularity", "recent", "popular", "bm25", "fused", "lambdarank"]
    assert rows[-1][-1] == "0.0000 [0.0000, 0.0000]"


def test_no_requests_raise() -> None:
    with pytest.raises(ValueError, match="there are no judged requests"):
        evaluate_order([], FusedOrder())


def test_candidate_recall_counts_items_of_only_one_source() -> None:
    rows = {
        row.source: row for row in measure_candidate_recall([build_home_request(), build_search_request()])
    }
    assert rows["recent"].total == 0
    assert (rows["popular"].total, rows["popular"].only_here) == (0.5, 0.5)
    assert (rows["bm25"].requests, rows["bm25"].recall_by_depth) == (1, {100: 1.0, 500: 1.0, 1000: 1.0})
    assert rows[ALL_SOURCES].total == 0.75


def test_items_of_two_sources_are_not_counted_as_of_only_one() -> None:
    both = build_judged_request([build_matches("recent", "a"), build_matches("popular", "a")], {"a": 1.0})
    assert [row.only_here for row in measure_candidate_recall([both])] == [0, 0, 0]


def test_candidate_recall_has_simulated_searches_apart() -> None:
    made_up = replace(build_search_request(), kind=SIMULATED_SEARCH)
    rows = measure_candidate_recall([made_up, build_home_request()])
    assert rows[:-2] == measure_candidate_recall([build_home_request()])
    assert [row.source for row in rows[-2:]] == [
        f"{SIMULATED_SEARCH}: bm25",
        f"{SIMULATED_SEARCH}: all sources",
    ]


def test_candidate_recall_without_requests_is_empty() -> None:
    assert measure_candidate_recall([]) == []


def test_a_baseline_brings_a_ranking_of_its_own() -> None:
    requests = [build_home_request(), build_search_request()]
    judged = [request.rerank(FirstFeature()) for request in requests]
    ranking = encode_item_ids(["z", "a", "c"])  # z is relevant, and no source found it
    evaluation = evaluate(judged, "first-feature", baselines={"EASE": [ranking, None]})
    assert evaluation.list_systems("home")[:2] == ("popularity", "EASE")
    assert "EASE" not in evaluation.list_systems("search") + evaluation.list_systems("all")
    dcg, ideal = 1 + 1 / np.log2(4), 1 + 1 / np.log2(3)
    assert evaluation.collect_metrics("EASE", "home")["ndcg@10"].value == pytest.approx(dcg / ideal)
    assert {result.system for result in evaluation.differences if result.kind == "home"} == {
        "lambdarank - fused",
        "lambdarank - EASE",
        "lambdarank - popularity",
    }


def test_a_search_is_compared_with_bm25_alone() -> None:
    evaluation = evaluate_order([build_home_request(), build_search_request()], FirstFeature())
    gaps = {
        r.system: r.interval.mean
        for r in evaluation.differences
        if (r.kind, r.measure) == ("search", "ndcg@10")
    }
    assert gaps["lambdarank - bm25"] == pytest.approx(1 - 1 / np.log2(3))
    assert evaluation.find_difference("search").mean == gaps["lambdarank - fused"]


def test_pages_of_one_viewer_are_resampled_together() -> None:
    values = np.array([[0.0], [0.0], [1.0], [1.0]])
    alone = bootstrap_intervals(values)[0]
    together = bootstrap_intervals(values, groups=np.array(["a", "a", "b", "b"]))[0]
    assert (alone.mean, together.mean) == (0.5, 0.5)
    assert (together.low, together.high) == (0.0, 1.0)
    one = bootstrap_intervals(values, groups=np.array(["a", "a", "a", "a"]))[0]
    assert (one.low, one.high) == (0.5, 0.5)
