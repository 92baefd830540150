"""The model of what this machine's own firewall says of its way to the mail hosts."""

from __future__ import annotations

from typing import Literal

from scanproof.kinds import Facts


class HostRule(Facts):
    """A rule that stops connections to a door, or may: a part of it isn't understood."""

    door: str
    effect: Literal["blocks", "may block"]
    rule: str

    @property
    def seen(self) -> str:
        """The rule, in words."""
        return f"{self.rule} {self.effect} connections to {self.door}"


class HostRules(Facts):
    """What the firewall of the machine that the run stands on has against connections to the mail hosts."""

    by: str  # what printed the rules
    doors: tuple[str, ...]
    unresolved: tuple[str, ...] = ()  # doors whose address isn't known: a rule about addresses can't be decided
    rules: tuple[HostRule, ...] = ()

    def of(self, door: str) -> tuple[str, ...]:
        """Return the rules that stop connections to a door for sure."""
        return tuple(rule.rule for rule in self.rules if rule.door == door and rule.effect == "blocks")

    @property
    def seen(self) -> str:
        """What was seen, in words."""
        found = "; ".join(rule.seen for rule in self.rules)
        return f"{self.by}: {found or 'no rule stops connections to ' + ', '.join(self.doors)}"
