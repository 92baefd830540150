"""What is known of Ricoh's pages by language and model, apart from code: paths, field names, labels.

All of it is from published dumps of few devices (docs/copiers.md says which), or a guess, marked so. A site corrects it
by a ``devices.toml`` of the same form beside its ``site.toml``, where a firmware differs.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from scanproof.kinds import Unproven

if TYPE_CHECKING:
    from scanproof.site import Site

_SHIPPED = Path(__file__).parent / "ricoh.toml"


class Known(BaseModel):
    """One set of what is known; see ``ricoh.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    email_methods: tuple[str, ...] = ()  # hidden methodName of the e-mail page
    email_labels: tuple[str, ...] = ()  # text of the index's link to it, by language
    email_path: str = ""  # below /web/entry/LANGUAGE/, where the index does not lead to it
    send_labels: tuple[str, ...] = ()
    send_path: str = ""
    log_path: str = ""
    log_data: str = ""
    fields: dict[str, tuple[str, ...]] = {}  # by what a field means: the names that it has
    labels: dict[str, tuple[str, ...]] = {}  # by what a label row means: the labels that it has, in any language
    models: dict[str, dict[str, Any]] = {}  # by model, or model and firmware: what differs there

    def of(self, model: str, firmware: str) -> Known:
        """Return what is known of a model, and of this firmware of it where that differs."""
        found = self.model_dump(exclude={"models"})
        for name in (model, f"{model} {firmware}"):
            found = _merged(found, self.models.get(name, {}))
        return Known.model_validate(found)


def _merged(content: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return content with other values; of a table, only the keys that are named."""
    kept = dict(content)
    for key, value in more.items():
        held = kept.get(key)
        kept[key] = {**held, **value} if isinstance(value, dict) and isinstance(held, dict) else value
    return kept


@lru_cache
def _read(path: Path, changed: float) -> dict[str, Any]:  # noqa: ARG001 - what was cached must not outlive an edit
    return tomllib.loads(path.read_text(encoding="utf-8-sig"))


def known(site: Site) -> Known:
    """Return what is known, with the site's own corrections.

    Raises:
        Unproven: the site's ``devices.toml`` can't be used; says the key.
    """
    content = dict(_read(_SHIPPED, 0.0))
    what = ""
    own = site.folder / "devices.toml" if site.folder else None
    try:
        if own is not None and own.is_file():
            content = _merged(content, _read(own, own.stat().st_mtime))
        made = Known.model_validate(content)
        for name, model in made.models.items():
            what = f"models.{name}."
            Known.model_validate(model)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise Unproven(
            f"devices.toml: {what}{where}: {problem['msg']}", "correct it; docs/copiers.md explains it"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise Unproven(f"devices.toml can't be used: {error}", "correct it") from None
    return made
