"""Commands about who may call: API keys and the audit log."""
