"""Commands about people: API keys of callers, and what is recorded of viewers."""
