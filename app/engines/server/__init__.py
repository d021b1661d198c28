"""What Elasticsearch and OpenSearch share: bodies, versions, bulk writes, live changes and events."""
