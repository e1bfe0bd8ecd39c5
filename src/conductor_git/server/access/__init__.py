"""Who may do what: tokens, roles, sessions of a browser, and what a request has to look like."""
