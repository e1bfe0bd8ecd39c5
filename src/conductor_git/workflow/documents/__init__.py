"""The JSON documents of cli.md, made from typed records in one place: commands and the API answer with these."""
