"""One ranking measure a file. Gains come in ranked order; what to do about ties is the caller's."""
