"""Stories in a real browser: Debian's Chromium, driven by Playwright, on a real server."""
