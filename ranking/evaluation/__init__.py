"""Offline evaluation: judged requests, metrics, intervals, comparisons, off-policy estimates, plots."""
