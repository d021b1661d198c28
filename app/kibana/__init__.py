"""Kibana and OpenSearch Dashboards: data views, searches, panels, and their import."""
