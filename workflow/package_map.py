"""The table of packages in docs/ARCHITECTURE.md, written from the packages' own docstrings; `make config` puts it there.

python -m workflow.package_map
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "ARCHITECTURE.md"
START, END = "<!-- packages: written by `make config` -->", "<!-- end of packages -->"
STATEMENTS = re.compile(
    r"(?P<lives>.*?)\s*May import: (?P<imports>.*?)\.\s*May be imported by: (?P<importers>.*?)\.$", re.S
)


@dataclass(frozen=True)
class Package:
    """What the docstring of a package says; a name stands for a package of the same tree where it has no dot."""

    name: str
    lives: str
    imports: str
    importers: str


def packages(root: Path = ROOT) -> list[Package]:
    """Every package below pipeline/ and models/."""
    return [
        package(path, root) for tree in ("pipeline", "models") for path in sorted((root / tree).glob("*/__init__.py"))
    ]


def package(path: Path, root: Path = ROOT) -> Package:
    """One package, from its docstring."""
    name = str(path.parent.relative_to(root))
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    found = STATEMENTS.fullmatch(text)
    if found is None:
        raise ValueError(f"the docstring of {name}/__init__.py lacks its lines 'May import:' and 'May be imported by:'")
    return Package(name, *(" ".join(found[group].split()) for group in ("lives", "imports", "importers")))


def table(found: list[Package]) -> str:
    """The rows of all packages, for Markdown."""
    head = ["| package | what lives there | may import | may be imported by |", "|---|---|---|---|"]
    rows = [f"| `{one.name}/` | {one.lives} | {one.imports} | {one.importers} |" for one in found]
    return "\n".join([*head, *rows])


def with_table(text: str, found: list[Package]) -> str:
    """A page with its table of packages written anew."""
    before, rest = text.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n\n{table(found)}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(), packages()))
