"""A simulated customer site: the demo's copiers, network, name servers, tenant and mailboxes.

It runs as a process of its own (``python -m lab up``) and answers from one state (``estate.py``), never
from what a test wants to hear. It proves nothing about a real site, and says so.
"""
