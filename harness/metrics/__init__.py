"""Figures of a run, computed from the rows read off the chain."""
