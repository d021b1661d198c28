"""The demo's films: every person and country is kept, and people are in the order of their prominence."""

import pandas

from reelrank.index_mappings.item import Item
from reelrank.loaders.demo import add_other_titles, compute_prominence, list_titles, read_demo_items

LEADS = {
    "tt0133093": ("Keanu Reeves", "Laurence Fishburne", "Hugo Weaving", "Carrie-Anne Moss"),
    "tt0034583": ("Humphrey Bogart", "Ingrid Bergman"),
    "tt0120338": ("Leonardo DiCaprio", "Kate Winslet"),
    "tt0110912": ("John Travolta", "Samuel L. Jackson"),
    "tt0073195": ("Roy Scheider", "Richard Dreyfuss"),
}
"""Leads of well-known films, who are in the middle of the alphabet of large casts."""


def test_a_person_of_small_casts_and_successful_films_is_prominent() -> None:
    films: list[tuple[list[str], float | None]] = [
        (["Lead", "Second"], 2e8),
        (["Lead", "Second", "Extra 1", "Extra 2", "Extra 3", "Extra 4"], 1e8),
        (["Extra 1", "Extra 2", "Second", "Extra 3", "Extra 4"], None),
        (["Lead"], None),
    ]
    prominence = compute_prominence(films)
    assert sorted(prominence, key=lambda name: -prominence[name])[:2] == ["Lead", "Second"]
    assert prominence["Extra 1"] == prominence["Extra 4"] < prominence["Second"]


def test_films_keep_every_person_and_country_and_leads_come_first() -> None:
    films: dict[str, Item] = {item.id: item for item in read_demo_items()}
    assert len(films) > 17_000
    for item_id, leads in LEADS.items():
        assert set(leads) <= set(films[item_id].people[:10]), films[item_id].people[:10]
    assert films["tt0133093"].countries == ("Australia", "United States")
    assert max(len(item.people) for item in films.values()) > 100


def test_other_titles_of_a_film_are_read_with_their_article_first() -> None:
    assert list_titles("City of God (Cidade de Deus) (2002)") == ["City of God", "Cidade de Deus"]
    assert list_titles("Seven (a.k.a. Se7en)") == ["Seven", "Se7en"]
    assert list_titles("Name of the Rose, The (Name der Rose, Der)")[1] == "Der Name der Rose"


def test_titles_that_only_the_ratings_have_become_a_sentence() -> None:
    items = [Item("a", "City of God"), Item("b", "Alien", description="In space."), Item("c", "Heat")]
    titles = ["City of God (Cidade de Deus)", "Alien (a.k.a. Sunset Blvd.)", "Heat"]
    ratings = pandas.DataFrame({"movieId": [1, 2, 3], "title": titles})
    described = [item.description for item in add_other_titles(items, ratings, {1: "a", 2: "b", 3: "c"})]
    assert described == ["Also known as Cidade de Deus.", "In space. Also known as Sunset Blvd.", ""]
