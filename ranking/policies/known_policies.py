"""The policies that order every page, in the order in which they are applied: add a new one here."""

from reelrank.ranking.policies.cold_start import PopularForColdStart
from reelrank.ranking.policies.config import Policy
from reelrank.ranking.policies.diversity import MaximalMarginalRelevance
from reelrank.ranking.policies.lexical import LexicalOrder
from reelrank.ranking.policies.rejections import PushRejectedDown
from reelrank.ranking.policies.similar import SimilarOrder
from reelrank.ranking.policies.thompson import ThompsonSampling

KNOWN_POLICIES: tuple[Policy, ...] = (
    LexicalOrder(),
    SimilarOrder(),
    PushRejectedDown(),
    PopularForColdStart(),
    MaximalMarginalRelevance(),
    ThompsonSampling(),
)
"""One that picks at random goes last: a later one would move what it chose (see `config.py`)."""
