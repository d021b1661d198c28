"""Migration between engines, with a ledger of what was copied so that a later run copies only changes."""
