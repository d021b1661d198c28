"""Popularity of items: decayed counters of events, their half-lives, and the viewers who count."""
