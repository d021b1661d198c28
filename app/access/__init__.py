"""Who may call: API keys and where they are kept, hosts that are answered, the audit log, checks at start."""
