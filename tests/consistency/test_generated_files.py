"""Generated files are up to date: server mappings, Kibana imports and tables of the documentation."""

import pytest

from tests.consistency.generated_files import ROOT, render_files, replace_tables

FILES = {str(path.relative_to(ROOT)): content for path, content in render_files()}
TABLE = "<!-- generated: t -->\nold\n<!-- end -->\n"


@pytest.mark.parametrize("name", FILES)
def test_a_generated_file_is_what_the_code_renders(name: str) -> None:
    assert (ROOT / name).read_bytes() == FILES[name], f"run `make generate` and read the diff of {name}"


@pytest.mark.parametrize("page", ["", TABLE.replace("<!-- end -->", ""), TABLE * 2])
def test_a_page_without_exactly_one_place_for_a_table_is_an_error(page: str) -> None:
    with pytest.raises(ValueError, match="places for the table `t`"):
        replace_tables(page, {"t": lambda: "new\n"})
