"""The catalogue of requirements, read from the cases themselves.

It is read from their source rather than from what pytest collected, so that a run of one file still
knows what it left out.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scanproof.scope import KINDS

if TYPE_CHECKING:
    from pathlib import Path

_GENERAL = {
    "row": "row N",
    "copier": "Y",
    "versioned_copier": "Y",
    "signing_copier": "Y",
    "logging_copier": "Y",
    "representative": "Y",
    "subnet": "S",
    "swept_subnet": "S",
    "machine": "this machine",
    "domain": "the domain",
    "domain_egress": "the domain from public address A",
    "submission_door": "the submission host",
    "tenant": "the tenant",
    "direct_tenant": "the tenant",
    "sender_egress": "sender X from public address A",
    "relay_egress": "public address A",
    "sending": "sender X by route R",
    "delivery": "sender X by route R to recipient Z",
    "application": "X",
}
_DOORS = {
    "submission_path": "the submission host on port 587",
    "tenant_path": "the tenant endpoint on port 25",
    "mail_path": "the mail service",
}
LEVELS = ("blocker", "advice", "as used")


@dataclass(frozen=True)
class Requirement:
    """One row of the catalogue.

    Attributes:
        id: such as ``NET-1``.
        sentence: with its subject in braces.
        level: ``blocker``, ``advice``, or ``as used``: a blocker where a route or sender in use needs it.
        kind: the kind of subject, a key of ``scope.KINDS``.
        area: the marker of its file.
        proof: what proves it: the first lines of the case's docstring.
    """

    id: str
    sentence: str
    level: str
    kind: str
    area: str
    proof: str
    function: str

    @property
    def plain_sentence(self) -> str:
        """The sentence with a letter or a general name in place of the subject's own."""
        names = {
            "it.label": _GENERAL.get(self.kind, "X"),
            "it.subnet.label": "S",
            "it.service.key": _DOORS.get(self.kind, ""),
        }
        return re.sub(r"\{([^}]*)\}", lambda found: names[found.group(1)], self.sentence)

    def as_json(self) -> dict[str, str]:
        """Return the row for ``scanproof requirements --json``."""
        return dict(vars(self))


def read(tests: Path) -> list[Requirement]:
    """Read every case's requirement, in the order of files and functions.

    Args:
        tests: the folder of the acceptance cases.

    Raises:
        ValueError: a case is written in a way that the catalogue can't know: its message names it.
    """
    found: list[Requirement] = []
    for path in sorted(tests.glob("test_*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            raise ValueError(f"{path.name}:{error.lineno}: not valid Python: {error.msg}") from None
        area = _area(tree)
        found += [
            _requirement(node, area, f"{path.name}:{node.lineno} {node.name}")
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
        ]
    ids = [requirement.id for requirement in found]
    doubled = {name for name in ids if ids.count(name) > 1}
    if doubled:
        raise ValueError(f"more than one case claims {', '.join(sorted(doubled))}")
    return sorted(found, key=_order)


_AREAS = ("INV", "NET", "EGR", "HOST", "DNS", "TEN", "SMTP", "DEV", "DLV", "LOG", "APP", "COV")


def _order(requirement: Requirement) -> tuple[int, int]:
    area, _, number = requirement.id.partition("-")
    return (_AREAS.index(area) if area in _AREAS else len(_AREAS)), int(number)


def _area(tree: ast.Module) -> str:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute):
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id == "pytestmark":
                return node.value.attr
    return ""


def _requirement(node: ast.FunctionDef | ast.AsyncFunctionDef, area: str, where: str) -> Requirement:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("requirement"):
            values: list[Any] = [ast.literal_eval(argument) for argument in decorator.args]
            named = {str(word.arg): ast.literal_eval(word.value) for word in decorator.keywords}
            kinds = [argument.arg for argument in node.args.args if argument.arg in KINDS]
            if len(values) != 2 or named.get("level") not in LEVELS or len(kinds) != 1:
                raise ValueError(
                    f"{where}: needs requirement(id, sentence, level=…) and one subject of {', '.join(KINDS)}"
                )
            proof = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            return Requirement(values[0], values[1], named["level"], kinds[0], area, proof, node.name)
    raise ValueError(f"{where}: has no requirement mark")


def markdown(requirements: list[Requirement]) -> str:
    """Return the catalogue as a Markdown table."""
    lines = ["| id | level | subject | requirement | proven by |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.id} | {row.level} | {row.kind.replace('_', ' ')} | {row.plain_sentence} | {row.proof} |"
        for row in requirements
    ]
    return "\n".join(lines)
