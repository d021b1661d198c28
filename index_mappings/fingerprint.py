"""The index fingerprint: a hash of all settings that determine how a document is indexed."""

import hashlib
import json
from dataclasses import asdict

from reelrank.index_mappings import analysis, fields
from reelrank.index_mappings.encoder import ENCODER_NAME


def compute_index_fingerprint() -> str:
    """Returns eight hex digits. Index versions with different fingerprints must not replace each other."""
    settings = {
        "analysis": [
            analysis.TOKENIZER,
            analysis.STEP_ORDER,
            analysis.STEMMER,
            analysis.STOP_WORDS,
            analysis.MAX_TOKEN_LENGTH,
        ],
        "text": fields.TEXT_FIELDS,
        "bm25": [fields.BM25_K1, fields.BM25_B],
        "keyword": fields.KEYWORD_FIELDS,
        "range": fields.RANGE_FIELDS,
        "vectors": {name: asdict(field) for name, field in fields.VECTOR_FIELDS.items()},
        "neighbours": [fields.MAX_NEIGHBOURS, fields.NEIGHBOUR_LEVELS],
        "encoder": ENCODER_NAME,
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
