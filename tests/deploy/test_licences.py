"""The list of licences that is made of a CycloneDX file."""

from deploy.licences import UNKNOWN, list_licences


def test_each_package_has_its_licences_once_and_by_name() -> None:
    document = {
        "components": [
            {
                "name": "Zlib",
                "version": "1",
                "licenses": [{"license": {"id": "MIT"}}, {"license": {"id": "MIT"}}],
            },
            {"name": "both", "version": "2", "licenses": [{"expression": "MIT OR BSD-3-Clause"}]},
            {
                "name": "text",
                "version": "3",
                "licenses": [{"license": {"name": "Own\nin many lines"}}],
            },
            {"name": "none"},
        ]
    }
    assert list_licences(document) == [
        ("both", "2", "MIT OR BSD-3-Clause"),
        ("none", "", UNKNOWN),
        ("text", "3", "Own"),
        ("Zlib", "1", "MIT"),
    ]
