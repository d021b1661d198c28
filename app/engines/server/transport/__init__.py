"""How a cluster is reached: access, requests with deadlines, failures, bulk writes and paging."""
