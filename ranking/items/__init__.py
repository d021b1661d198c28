"""Item data as columns: the item table, popularity counters, recency and fold-in parameters."""
