"""Jobs on logged pages whose requests are ranked again, as of their own time: skew, and baselines."""
