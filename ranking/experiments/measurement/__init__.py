"""What an experiment did: totals by viewer, effects with intervals, the report and its verdict."""
