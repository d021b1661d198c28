"""What Kibana and OpenSearch Dashboards show of a house: data views, searches, panels; and their import."""
