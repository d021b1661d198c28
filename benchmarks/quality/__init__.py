"""How good the rankings are, on public data beside published figures and on the demo."""
