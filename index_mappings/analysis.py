"""Text analysis, stated once for every engine: words, lower case, ASCII folding, stop words, stem."""

STEMMER = "porter2"
"""Snowball English. tantivy calls it "english"; Elasticsearch and OpenSearch call it "porter2"."""

STOP_WORDS: tuple[str, ...] = (
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these", "they",
    "this", "to", "was", "will", "with",
)  # fmt: skip
"""Lucene's EnglishAnalyzer.ENGLISH_STOP_WORDS_SET."""

MAX_TOKEN_LENGTH = 255
"""Lucene's standard tokenizer default; longer tokens are dropped by every engine."""
