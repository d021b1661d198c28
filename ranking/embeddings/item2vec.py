"""item2vec on watch sessions (Barkan & Koenigstein 2016): items watched together get similar vectors."""

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.ranking.embeddings.watches import Watches

SESSION_GAP_MS = 6 * 3_600_000
"""A new session starts after six hours without a watch: shorter than a night, longer than an evening."""
EPOCHS = 5
WINDOW = 5
"""Both are the defaults of gensim's Word2Vec."""


def learn_item2vec(watches: Watches, seed: int = 0) -> NDArray[np.float32]:
    """Learns unit item vectors [items, 64]; zeros for items in no session of at least two watches."""
    from gensim.models import Word2Vec

    vectors = np.zeros((len(watches.item_ids), VECTOR_FIELDS["session"].size), np.float32)
    sessions = [s for s in split_sessions(watches) if len(s) > 1]
    if not sessions:
        return vectors
    model = Word2Vec(
        sessions,
        vector_size=vectors.shape[1],
        window=WINDOW,
        sg=1,
        negative=10,
        min_count=1,
        epochs=EPOCHS,
        workers=1,
        seed=seed,
    )
    learned = np.asarray(model.wv.vectors, np.float32)
    vectors[np.array(model.wv.index_to_key)] = learned / np.linalg.norm(learned, axis=1, keepdims=True)
    return vectors


def split_sessions(watches: Watches) -> list[list[int]]:
    """Returns the indexes into `item_ids` of each session's watches, in the order of time."""
    order = np.lexsort((watches.at_ms, watches.users))
    users, at_ms, items = watches.users[order], watches.at_ms[order], watches.items[order]
    starts = np.flatnonzero((np.diff(users) != 0) | (np.diff(at_ms) > SESSION_GAP_MS)) + 1
    return [part.tolist() for part in np.split(items, starts) if len(part)]
