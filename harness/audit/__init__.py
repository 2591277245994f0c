"""Audit of liquidation parameters: risk figures, safe ranges, what binds, a verdict.

``draws`` makes the crises, ``trials`` runs them, ``levers`` are the parameters that may change,
``ranges`` finds where each is safe, ``pressure`` what binds and what matters, ``verdict`` the
smallest change that passes; ``command`` puts them together, ``markdown`` and
``harness.report.audit`` write down what came of it.
"""
