"""The attacks there are; each module has its ``ATTACK``."""
