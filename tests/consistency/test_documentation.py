"""Links, paths, functions, make targets and decision records of the documentation lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^()\s]+)\)|src(?:set)?=\"([^\"]+)\"")

PARTS = ["Context", "Decision", "Consequences"]


def find_links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = [first or second for first, second in LINK.findall(text)]
    return [link for link in links if not re.match(r"https?:|mailto:", link)]


def find_anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in find_links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in find_anchors(target), link


def test_every_page_is_in_an_index() -> None:
    listed = [*find_links(ROOT / "docs" / "index.md"), *find_links(ROOT / "docs" / "decisions" / "index.md")]
    names = {Path(link).name for link in listed}
    assert [page.name for page in ROOT.glob("docs/**/*.md") if page.name not in names | {"index.md"}] == []


def find_named_paths(text: str) -> set[str]:
    """Paths into the tree that a page names in code, such as `app/search/service.py` or `loaders/fields/`."""
    roots = "app|ranking|loaders|index_mappings|tests|benchmarks|deploy|docs"
    return set(re.findall(rf"`((?:{roots})/[\w./-]+)`", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    assert [path for path in find_named_paths(page.read_text()) if not (ROOT / path).exists()] == []


def test_the_functions_of_the_architecture_page_exist() -> None:
    rows = re.findall(r"^\| [^|]+ \| (`[^|]+) \|$", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    stories = [row for row in rows if ".py`" in row]
    assert len(stories) >= 6
    source = ""
    for row in stories:
        path = re.search(r"`([\w/]+\.py)`", row)
        source = (ROOT / path[1]).read_text() if path else source
        for name in re.findall(r"`([\w.]+)`", row):
            assert name.endswith(".py") or f"def {name.rpartition('.')[2]}(" in source, row


@pytest.mark.parametrize("root", ["app", "ranking"])
def test_the_architecture_page_has_every_package(root: str) -> None:
    tables = re.findall(r"^\| (`[^|]+) \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    named = set(re.findall(r"`([a-z_]+)`", "".join(tables)))
    packages = {path.parent.name for path in (ROOT / root).glob("*/__init__.py")}
    assert packages
    assert packages - named == set()


def test_every_decision_record_has_its_parts_and_is_in_the_index() -> None:
    index = (ROOT / "docs" / "decisions" / "index.md").read_text()
    records = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    for number, record in enumerate(records, 1):
        title, status, *_ = record.read_text().split("\n\n")
        assert record.name.startswith(f"{number:04d}-")
        assert title.startswith(f"# {number}. ")
        assert re.match(r"Status: (accepted|replaced), \d{4}-\d\d-\d\d", status), record.name
        assert re.findall(r"^## (.+)$", record.read_text(), re.MULTILINE) == PARTS, record.name
        assert f"| [{number}]({record.name}) | {title.partition('. ')[2]} |" in index


def test_every_make_target_in_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name for page in PAGES for name in re.findall(r"(?:^|[`\s])make ([a-z-]+)(?=[`\s])", _code(page))
    }
    assert {"run", "test", "check", "bench"} <= named <= targets


def _code(page: Path) -> str:
    """The code of a page: its shell blocks and what stands between backquotes."""
    text = page.read_text()
    blocks = [re.sub(r"#.*", "", block) for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]
    return "\n".join([*blocks, *(f"`{code}`" for code in re.findall(r"`([^`\n]+)`", text))])
