"""Item data as columns: the item table, popularity counters, audiences and fold-in parameters."""
