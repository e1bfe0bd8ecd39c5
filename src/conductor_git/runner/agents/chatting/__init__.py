"""Asking a model over HTTP and reading its streamed answer: what `chat` and the adapters of such agents are made of."""
