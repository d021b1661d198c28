"""The cost of learning from logged pages: generated histories, a process for each step, a report."""
