"""Other servers' Python APIs on this one: for scripts that pyhost runs."""
