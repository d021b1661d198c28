"""Pages for operators: releases and why, traffic, and quality by day."""
