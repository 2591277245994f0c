"""Statistics of many runs."""
