"""Experiments over many runs. They call ``run(scenario, seed)`` and nothing below it."""
