"""``scanproof init`` and the template that it points to."""

from __future__ import annotations

import tomllib
import types
import typing
from pathlib import Path

import openpyxl
import pytest
from pydantic import BaseModel

from scanproof import scaffold, site, sitefile
from scanproof.sitefile import SiteError, SiteFile

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "inventory" / "demo" / "fleet.xlsx"
TEMPLATE = ROOT / "inventory" / "template" / "site.toml"


def keys(model: type[BaseModel]) -> set[str]:
    """Every key of a model and of the tables in it."""
    found: set[str] = set()
    for name, known in model.model_fields.items():
        found.add(name)
        for part in parts(known.annotation):
            found |= keys(part)
    return found


def parts(annotation: object) -> list[type[BaseModel]]:
    if (
        isinstance(annotation, type)
        and not isinstance(annotation, types.GenericAlias)
        and issubclass(annotation, BaseModel)
    ):
        return [annotation]
    return [part for argument in typing.get_args(annotation) for part in parts(argument)]


def test_template_parses() -> None:
    sitefile.read(TEMPLATE)


def test_template_explains_every_key() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    missing = [key for key in keys(SiteFile) if not any(mark in text for mark in (f"{key} =", f"[{key}]", f".{key}]"))]
    assert keys(SiteFile) >= {"minimum_grade", "retired_hosts", "approved_by", "readable", "graph"}
    assert missing == []


def test_template_with_every_example_switched_on_parses() -> None:
    """The commented keys are right too: uncomment what looks like TOML."""
    lines = []
    for line in TEMPLATE.read_text(encoding="utf-8").splitlines():
        bare = line.removeprefix("# ")
        is_key = bare != line and (bare.startswith("[") or bare.partition(" = ")[0].replace("_", "").isalpha())
        lines.append(bare if (is_key and "=" in bare) or bare.startswith("[") else line)
    text = "\n".join(lines)
    tomllib.loads(text)
    parsed = sitefile.parse(text, "template")
    assert parsed.waiver
    assert parsed.copier[0].out_of_scope


def test_init_makes_a_site_that_asks_for_its_domain(tmp_path: Path) -> None:
    folder = tmp_path / "north"
    lines = scaffold.init(DEMO, folder)
    assert (folder / "fleet.xlsx").read_bytes() == DEMO.read_bytes()
    with pytest.raises(SiteError, match=r"mail\.domain: 'FILL IN the mail domain' is not a host name"):
        site.load(folder)
    file = folder / "site.toml"
    file.write_text(
        file.read_text(encoding="utf-8").replace(scaffold.PLACEHOLDER, "northfield.example"), encoding="utf-8"
    )
    loaded = site.load(folder)
    assert loaded.name == "north"
    assert len(loaded.copiers) == 27
    assert [subnet.prefix for subnet in loaded.subnets] == [f"10.20.9{n}.0/24" for n in range(4)]
    said = "\n".join(lines)
    assert "29 devices" in said
    assert "address = 'IP Address' (D4)" in said
    assert "Ricoh (27), HP (1), Kyocera (1); in scope: Ricoh" in said
    assert "10.20.90.0/24 (9)" in said
    assert "hidden rows, which count like any other: 18" in said
    assert "columns that are not used: 'Notes'" in said
    assert "left out: row 35: a total" in said
    assert "every row is usable" in said
    assert f"pytest --site {folder}" in said


def messy(folder: Path, title: str = "Copiers") -> Path:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = title
    sheet.append(["IP", "Make", "Model", "Admin Password", "Mask"])
    sheet.append(["10.20.90.300", "Kyocera", 'ECOSYS "x"', "hunter2", 24])
    sheet.append(["10.20.91.4", "Kyocera", "<script>", "hunter2", 23])
    path = folder / "list.xlsx"
    book.save(path)
    return path


def test_init_says_what_it_could_not_read_cell_by_cell(tmp_path: Path) -> None:
    lines = scaffold.init(messy(tmp_path), tmp_path / "site")
    assert "list.xlsx, sheet Copiers, A2: '10.20.90.300' is not an IPv4 or IPv6 address" in lines
    assert any("looks like passwords (column 'Admin Password')" in line for line in lines)
    assert not any("hunter2" in line for line in lines)
    text = (tmp_path / "site" / "site.toml").read_text(encoding="utf-8")
    assert 'makes = ["Kyocera"]' in text
    assert 'prefix = "10.20.90.0/23"' in text
    assert "hunter2" not in text


def test_init_in_the_lists_own_folder_keeps_the_list(tmp_path: Path) -> None:
    path = messy(tmp_path)
    before = path.read_bytes()
    scaffold.init(path, tmp_path)
    assert path.read_bytes() == before
    assert (tmp_path / "site.toml").exists()


@pytest.mark.parametrize("title", ["a \"quoted' = name", "x\N{RIGHT-TO-LEFT OVERRIDE}y", "=1+1", "Ünïcode 病院"])
def test_hostile_names_stay_data(tmp_path: Path, title: str) -> None:
    folder = tmp_path / "a 'site' {name}"
    scaffold.init(messy(tmp_path, title), folder)
    text = (folder / "site.toml").read_text(encoding="utf-8")
    parsed = sitefile.parse(text.replace(scaffold.PLACEHOLDER, "northfield.example"))
    assert parsed.fleet.sheet == title.replace("\N{RIGHT-TO-LEFT OVERRIDE}", "")
    assert parsed.site.name == "a 'site' {name}"


@pytest.mark.parametrize("existing", ["site.toml", "fleet.xlsx"])
def test_init_never_overwrites(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("precious", encoding="utf-8")
    with pytest.raises(SiteError, match="exists and is not overwritten"):
        scaffold.init(DEMO, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text(encoding="utf-8") == "precious"


def test_init_with_a_list_that_is_none_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="no such file") as caught:
        scaffold.init(tmp_path / "none.xlsx", tmp_path / "site")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "site").exists()


def test_init_where_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("", encoding="utf-8")
    with pytest.raises(SiteError, match="a file is in the way"):
        scaffold.init(DEMO, tmp_path / "site")
    with pytest.raises(SiteError, match="a file is in the way"):
        scaffold.init(DEMO, tmp_path / "site" / "below")
