"""Commands as agents meet them: what their own hooks call, what they are told, and the guide that teaches them."""
