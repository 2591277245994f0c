"""Adapters to contract systems: each deploys, acts on and reads one kind of venue."""
