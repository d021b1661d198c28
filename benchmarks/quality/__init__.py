"""Ranking quality on public data, compared with published figures, and on the demo."""
