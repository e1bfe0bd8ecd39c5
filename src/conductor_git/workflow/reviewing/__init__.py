"""Who may give a verdict, and what it may speak of."""
