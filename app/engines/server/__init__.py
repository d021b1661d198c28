"""What Elasticsearch and OpenSearch share: documents, versions, queries, live changes and events."""
