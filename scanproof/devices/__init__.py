"""Copiers, read through what their makers built in: one maker's interface, one module."""
