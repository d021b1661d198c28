"""What is recorded after the answer: events, impressions, decisions and dashboard lines."""
