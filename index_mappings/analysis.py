"""Text analysis, stated once for every engine: words, ASCII folding, lower case, stop words, stem.

tests/contract/test_analysis.py holds every engine to the same golden words.
"""

TOKENIZER = "standard"
"""Words of Unicode's text segmentation (UAX #29), as Lucene's standard tokenizer finds them."""

STEP_ORDER = ("asciifolding", "lowercase", "stop", "stem")
"""Folding comes first: the lower case of a letter such as the Turkish İ differs between engines."""

STEMMER = "porter2"
"""Snowball English. tantivy calls it "english"; Elasticsearch and OpenSearch call it "porter2"."""

STOP_WORDS: tuple[str, ...] = (
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these", "they",
    "this", "to", "was", "will", "with",
)  # fmt: skip
"""Lucene's EnglishAnalyzer.ENGLISH_STOP_WORDS_SET."""

MAX_TOKEN_LENGTH = 255
"""Lucene's standard tokenizer default. The servers cut a longer word into pieces, the embedded engine
drops it: the one difference."""
