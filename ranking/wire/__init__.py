"""Feature rows between the service's roles: Arrow IPC, with validation of streams from other hosts."""
