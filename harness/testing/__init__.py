"""What a test suite can use.

By module:

    plugin                 the pytest plugin: markets, worlds and runs as fixtures
    assertions             what a test asserts of a finished run
    lending, worlds        a lending protocol, and what a scenario deploys, driven by hand
    default_round          defaults on an exchange, and the round that deals with them
    stateful               random actions on a lending protocol, with hypothesis
    *_conformance          kits for the plug points, to be subclassed
    *invariants            what must hold on chain, each with an ID and a sentence
"""
