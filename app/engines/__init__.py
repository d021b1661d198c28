"""Search engines behind one protocol: embedded, Elasticsearch and OpenSearch."""
