"""What simulated viewers ask for: mostly the home page, else a search or what is like a film they watched."""

from dataclasses import dataclass

import numpy as np

from reelrank.app.simulation.films import Films, create_generator
from reelrank.app.simulation.recommenders import Feedback
from reelrank.app.simulation.viewers import Viewers

SEARCH_SHARE, SIMILAR_SHARE = 0.15, 0.1
"""Of visits, those that search and those that ask for similar films; others load the home page. A choice."""


@dataclass(frozen=True, slots=True)
class AskedPage:
    """What a viewer asks for: a search has a text, a page of similar films the film; a home page neither."""

    user: str
    text: str = ""
    similar_to: str = ""

    @property
    def surface(self) -> str:
        if self.similar_to:
            return "similar"
        return "search" if self.text else "home"


class PageChoices:
    """Chooses what each visit asks for, from the film that the viewer clicked last."""

    def __init__(self, films: Films, viewers: Viewers) -> None:
        self._films = films
        self._viewers = viewers
        self._last_clicked: dict[int, int] = {}

    def remember(self, feedback: Feedback) -> None:
        """Remembers the last film that each viewer clicked."""
        for page, position in np.argwhere(feedback.reactions.is_clicked).tolist():
            self._last_clicked[int(feedback.visits.rows[page])] = int(feedback.pages.rows[page, position])

    def choose(self, viewer: int, at_ms: int) -> AskedPage:
        """Chooses what a viewer asks for, the same in each run.

        A search is for a genre of the film that was clicked last, else of any film that was seen.
        """
        user = self._viewers.ids[viewer]
        rng = create_generator(0, "surface", user, at_ms)
        drawn, clicked = rng.random(), self._last_clicked.get(viewer)
        if drawn < SIMILAR_SHARE and clicked is not None:
            return AskedPage(user, similar_to=self._films.films[clicked].id)
        if SIMILAR_SHARE <= drawn < SIMILAR_SHARE + SEARCH_SHARE and len(self._films):
            film = self._films.films[rng.integers(len(self._films)) if clicked is None else clicked]
            if film.genres:
                return AskedPage(user, text=str(rng.choice(film.genres)))
        return AskedPage(user)
