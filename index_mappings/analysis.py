"""Text analysis, defined once for every engine: tokens, ASCII folding, lower case, stems.

It is applied to text that `text.py` has prepared. `mapping.py` renders it for servers;
`app/engines/embedded/text/analysis.py` implements it in tantivy. tests/contract/test_analysis.py checks that
every engine produces the same tokens.
"""

TOKENIZER = "standard"
"""Unicode text segmentation (UAX #29), as in Lucene's standard tokenizer."""

STEP_ORDER = ("asciifolding", "lowercase", "stem")
"""Folding comes first: the lower case of a letter such as the Turkish İ differs between engines."""

STEMMER = "porter2"
"""Snowball English. tantivy calls it "english"; Elasticsearch and OpenSearch call it "porter2"."""

STOP_WORDS: tuple[str, ...] = (
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these", "they",
    "this", "to", "was", "will", "with",
)  # fmt: skip
"""Lucene's EnglishAnalyzer.ENGLISH_STOP_WORDS_SET. They are indexed, so that titles made of them are found; a
query requires none of them unless it has no other words (`split_query` in `text.py`)."""

PREPARATION = 2
"""Version of `prepare_text` in `text.py`; build 05eedc69 indexed text as it was."""

MAX_TOKEN_LENGTH = 255
"""The default of Lucene's standard tokenizer. Engines differ in one point: servers split a longer token, the
embedded engine drops it."""
