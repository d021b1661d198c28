"""Who may send which request: scopes, keys, sessions, CSRF tokens, hosts, CORS, security headers."""
