"""Probes: one protocol, one module. A probe observes and never judges."""
