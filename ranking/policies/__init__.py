"""Policies turn scored candidates into the order that is shown. Scores come from `rankers`."""
