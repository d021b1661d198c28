"""Cost of a request by stage and under load, compared with a plain implementation."""
