"""The tantivy index of one version, and the text analysis, which equals that of the servers."""
