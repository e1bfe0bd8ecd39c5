"""The MCP server: workers and coordinators that are agents call the same workflows as the command line."""
