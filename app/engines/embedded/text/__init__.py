"""The tantivy index of one version, and the text analysis it shares with the servers."""
