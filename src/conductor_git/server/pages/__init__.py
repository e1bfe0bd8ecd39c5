"""The pages that people look at, review and land on."""
