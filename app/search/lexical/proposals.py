"""Other texts for a search: what was probably meant, and popular titles when nothing was found."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from reelrank.app.search.lexical.suggestions import Suggestion, suggest
from reelrank.app.search.page import Hit, Page, SearchOutcome
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.errors import EngineError
from reelrank.index_mappings.text import split_query
from reelrank.ranking.items.names.title_keys import canonicalize_title

MAX_PROPOSALS = 5


def add_proposals(page: Page, state: State, engine: SearchEngine, timeout_s: float) -> Page:
    """Adds to the page of a search what to type in its place; nothing when its words match.

    Corrected words are named as a hit writes them. An engine that does not answer leaves proposals out.
    """
    outcome = page.search
    if outcome is None:
        return page
    if canonicalize_title(outcome.spelling) != canonicalize_title(outcome.text):
        outcome = replace(outcome, did_you_mean=_name_spelling(outcome.spelling, page.hits))
    elif outcome.match in ("semantic", "none") and not _is_any_known(outcome.text, state):
        with suppress(EngineError):
            outcome = _propose(outcome, state, partial(suggest, engine=engine, timeout_s=timeout_s))
    return replace(page, search=outcome)


def _is_any_known(text: str, state: State) -> bool:
    return bool(state.table.titles.count_words(split_query(text).content).any())


def _propose(outcome: SearchOutcome, state: State, find: Callable[..., list[Suggestion]]) -> SearchOutcome:
    """Proposes names that nearly begin with the text, else popular titles where nothing was found."""
    near = tuple(found.text for found in find(outcome.text, MAX_PROPOSALS, state))
    if near:
        return replace(outcome, did_you_mean=near[0], suggestions=near)
    if outcome.match == "none":
        popular = find("", MAX_PROPOSALS, state)
        return replace(outcome, suggestions=tuple(found.text for found in popular))
    return outcome


def _name_spelling(spelling: str, hits: Iterable[Hit]) -> str:
    """Returns the title or name of a hit that the spelling stands for, else the spelling."""
    key = canonicalize_title(spelling)
    names = (name for hit in hits for name in (hit.item.title, *hit.item.people))
    return next((name for name in names if canonicalize_title(name) == key), spelling)
