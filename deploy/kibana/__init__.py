"""Generator of the saved objects in app/kibana: data views, saved searches, panels and dashboards."""
