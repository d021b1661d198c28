"""Known-item queries are made from the catalogue, the same for the same seed, and judged by their item."""

import random
import unicodedata

import pytest

from reelrank.index_mappings.item import Item
from reelrank.ranking.evaluation.known_items import (
    VARIANTS,
    KnownItemQuery,
    generate_queries,
    measure_known_items,
    misspell,
    tabulate,
)

WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet")
ITEMS = [
    Item(f"f{n:02}", f"Étoile Lighthouse {word} Chapter", people=("Ada Lovelace", f"Person {n % 4}"))
    for n, word in enumerate(
        ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet"]
    )
]


def test_every_kind_is_generated_and_a_repeated_title_never_asked() -> None:
    items = [*ITEMS, Item("x1", "Same Title Twice"), Item("x2", "same title TWICE")]
    queries = generate_queries(items, 5, seed=1)
    assert {query.kind for query in queries} == {*VARIANTS, "person"} - {"title and year"}
    assert not {"x1", "x2"} & {item_id for query in queries for item_id in query.relevant}
    assert all(sum(query.kind == kind for query in queries) <= 5 for kind in VARIANTS)


def test_the_same_seed_gives_the_same_queries_in_any_order_of_items() -> None:
    shuffled = random.Random(3).sample(ITEMS, len(ITEMS))
    assert generate_queries(ITEMS, 4, seed=2) == generate_queries(shuffled, 4, seed=2)
    assert generate_queries(ITEMS, 4, seed=2) != generate_queries(ITEMS, 4, seed=3)


@pytest.mark.parametrize("seed", range(200))
def test_a_misspelling_keeps_the_first_and_last_letter_of_one_long_word(seed: int) -> None:
    title = "The Lighthouse of Keepers"
    typed = misspell(title, random.Random(seed))
    assert typed is not None
    changed = [(a, b) for a, b in zip(title.split(), typed.split(), strict=True) if a != b]
    assert len(changed) == 1
    before, after = changed[0]
    assert len(before) >= 5
    assert (before[0], before[-1]) == (after[0], after[-1])
    assert len(before) - 1 <= len(after) <= len(before)


def test_a_title_of_short_words_has_no_misspelling() -> None:
    assert misspell("It is 1917", random.Random(0)) is None


def test_decomposed_titles_are_the_same_text_in_other_bytes() -> None:
    texts = [query.text for query in generate_queries(ITEMS, 3) if query.kind == "decomposed"]
    assert texts
    assert all(unicodedata.normalize("NFC", text) in {item.title for item in ITEMS} for text in texts)


def test_success_counts_the_first_and_the_first_three_beside_the_baseline() -> None:
    queries = [KnownItemQuery("exact", f"q{n}", frozenset((f"f{n}",))) for n in range(4)]
    second = {"q0": ["f0", "a"], "q1": ["a", "b", "f1"], "q2": ["a", "b", "c", "f2"], "q3": []}
    systems = {"bm25": lambda text: [f"f{text[1:]}"], "served": second.__getitem__}
    baseline, served = measure_known_items(queries, systems, "bm25")
    assert (baseline.first.mean, baseline.third.mean, baseline.difference) == (1.0, 1.0, None)
    assert (served.first.mean, served.third.mean, served.queries) == (0.25, 0.5, 4)
    assert served.difference is not None
    assert served.difference.mean == -0.75
    assert [row[:2] for row in tabulate([baseline, served])[1:]] == [("exact", "bm25"), ("exact", "served")]


def test_a_person_is_judged_by_the_share_of_the_first_ten() -> None:
    query = KnownItemQuery("person", "Ada Lovelace", frozenset(f"f{n}" for n in range(20)))
    systems = {"bm25": lambda text: [*(f"f{n}" for n in range(5)), *"abcde"]}
    assert measure_known_items([query], systems, "bm25")[0].first.mean == 0.5
    few = KnownItemQuery("person", "Ada Lovelace", frozenset(("f0", "f1")))
    assert measure_known_items([few], systems, "bm25")[0].first.mean == 1.0
