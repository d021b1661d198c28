"""Finds retired names in code and prose. `python -m tests.consistency.retired_names` prints every hit.

retired_names.txt has one entry a line, its parts separated by tabs: how to look, what is retired, what to
write instead.

- `module`: a dotted module, or a part of one. It is neither in the tree nor named in prose.
- `name`: a module, function, class, parameter, field or constant of exactly this name.
- `part`: any such name that has this word as a part (`old_deed`, `DeedLog`).
- `qualified`: `owner.name`, where only that owner (a module, a class or a function) may not have the name.
- `phrase`: whole words in docstrings, messages, comments, templates and documentation, whatever their case.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("retired_names.txt")
CODE_ROOTS = ("app", "ranking", "loaders", "index_mappings", "tests", "benchmarks")
HISTORY = {"CHANGELOG.md", "benchmarks-journal.md"}
"""Pages that tell what was; a retired word may be part of it."""
KINDS = ("module", "name", "part", "qualified", "phrase")


@dataclass(frozen=True, slots=True)
class Retired:
    """One entry of the list."""

    kind: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a retired name still stands."""

    path: str
    line: int
    entry: Retired

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.entry.kind} {self.entry.old!r}; write {self.entry.new}"


@dataclass(frozen=True, slots=True)
class Identifier:
    """A name that the code defines. owner: the class, function or module around it."""

    name: str
    owner: str
    line: int


def read_list(path: Path = LIST) -> list[Retired]:
    """Raises ValueError for a line that is not an entry."""
    entries = list[Retired]()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        parts = line.split("\t")
        if len(parts) != 3 or parts[0] not in KINDS or not all(parts):
            raise ValueError(f"{path.name}:{number}: {line!r} is not: kind, old, new, with tabs between")
        entries.append(Retired(*parts))
    return entries


@cache
def list_code_files() -> list[Path]:
    return [path for root in CODE_ROOTS for path in sorted((ROOT / root).rglob("*.py"))]


@cache
def list_prose_files() -> list[Path]:
    """Documentation, templates and deployment files."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "app").rglob("*.html")]
    deployed = [path for path in (ROOT / "deploy").rglob("*") if path.suffix in {".yaml", ".yml", ".cfg"}]
    return [path for path in [*pages, *deployed, ROOT / "docker-compose.yml"] if path.name not in HISTORY]


@cache
def find_identifiers(path: Path) -> list[Identifier]:
    """Modules, functions, classes, parameters, and fields and constants that are assigned to."""
    found = [Identifier(path.stem, path.parent.name, 1)]
    _collect(ast.parse(path.read_text()), path.stem, found)
    return found


def _collect(node: ast.AST, owner: str, found: list[Identifier]) -> None:
    for child in ast.iter_child_nodes(node):
        inner = owner
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(Identifier(child.name, owner, child.lineno))
            inner = child.name
        elif isinstance(child, ast.arg):
            found.append(Identifier(child.arg, owner, child.lineno))
        elif isinstance(child, ast.Assign | ast.AnnAssign) and isinstance(node, ast.Module | ast.ClassDef):
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            found += [Identifier(t.id, owner, t.lineno) for t in targets if isinstance(t, ast.Name)]
        elif isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store):
            found.append(Identifier(child.attr, owner, child.lineno))
        _collect(child, inner, found)


def split_name(name: str) -> set[str]:
    """The words of a name in snake_case or CamelCase, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)}


@cache
def find_texts(path: Path) -> list[tuple[int, str]]:
    """Prose with its first line: strings and comments of code, the whole of any other file."""
    if path.suffix != ".py":
        return [(1, path.read_text())]
    texts = list[tuple[int, str]]()
    comments = list[tokenize.TokenInfo]()
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            comments.append(token)
        elif token.type == tokenize.STRING or token.type == getattr(tokenize, "FSTRING_MIDDLE", -1):
            texts.append((token.start[0], token.string))
        if comments and token.type not in {tokenize.COMMENT, tokenize.NL}:
            texts.append((comments[0].start[0], "\n".join(comment.string for comment in comments)))
            comments = []
    return texts


def compile_phrases(entries: Iterable[Retired]) -> re.Pattern[str]:
    """Matches any of the phrases and modules as whole words; line ends and comment marks count as spaces."""
    spellings = list[str]()
    for entry in entries:
        spellings.append(entry.old)
        if entry.kind == "module":
            spellings.append(entry.old.replace(".", "/") + ".py")
    words = (r"[\s#]+".join(map(re.escape, spelling.split())) for spelling in spellings)
    return re.compile(rf"(?<![\w./-])(?:{'|'.join(words)})(?![\w-])", re.IGNORECASE)


def find_hits(entries: Sequence[Retired]) -> Iterator[Hit]:
    """Every place that has a retired name."""
    for path in list_code_files():
        yield from find_names(path, [entry for entry in entries if entry.kind != "phrase"])
    prose = [entry for entry in entries if entry.kind in {"phrase", "module"}]
    if not prose:
        return
    for path in [*list_code_files(), *list_prose_files()]:
        if path.parent != Path(__file__).parent:
            yield from find_phrases(path, prose)


def shorten_path(path: Path) -> str:
    """The path in the project, or the whole path of another file."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def find_names(path: Path, entries: Iterable[Retired]) -> Iterator[Hit]:
    """Names that a file of code defines, and its own."""
    identifiers, relative = find_identifiers(path), shorten_path(path)
    module = relative.removesuffix(".py").replace("/", ".")
    for entry in entries:
        if entry.kind == "module":
            if f".{module}.".find(f".{entry.old}.") >= 0:
                yield Hit(relative, 1, entry)
            continue
        owner, _, name = entry.old.rpartition(".")
        for each in identifiers:
            is_hit = (
                entry.old.lower() in split_name(each.name)
                if entry.kind == "part"
                else each.name == name and owner in {"", each.owner}
            )
            if is_hit:
                yield Hit(relative, each.line, entry)


def find_phrases(path: Path, entries: Sequence[Retired]) -> Iterator[Hit]:
    """Phrases and modules in the prose of a file."""
    any_phrase = compile_phrases(entries)
    for first_line, text in find_texts(path):
        if any_phrase.search(text) is None:
            continue
        for entry in entries:
            for found in compile_phrases([entry]).finditer(text):
                line = first_line + text.count("\n", 0, found.start())
                yield Hit(shorten_path(path), line, entry)


def main() -> None:
    """Prints the hits of a list, the one of the tests unless another is named."""
    for hit in find_hits(read_list(Path(sys.argv[1]) if len(sys.argv) > 1 else LIST)):
        sys.stdout.write(f"{hit}\n")


if __name__ == "__main__":
    main()
