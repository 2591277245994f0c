"""A crash-test rig for on-chain liquidations.

``run(scenario, seed)`` deploys a scenario's contracts to a local EVM, drives it block by block
and measures the outcome from the chain; everything else in the package builds on that.
"""

__version__ = "0.1.0"
