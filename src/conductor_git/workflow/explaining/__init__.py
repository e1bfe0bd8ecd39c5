"""Why a task stands where it stands, state by state: pure functions of what was found."""
