"""Policies turn scores into a page: Thompson sampling on exploration slots."""
