"""Migration between engines: what is copied, and a ledger that lets a later run copy the rest."""
