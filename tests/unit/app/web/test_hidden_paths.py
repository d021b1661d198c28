"""No answer names a directory of the machine, whichever message holds it."""

from pathlib import Path

import pytest

from reelrank.app.settings import Settings
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.web.hidden_paths import hide_directory
from reelrank.app.wiring import build_container, build_service


@pytest.mark.parametrize(
    "path", ["/v1/search?q=a", "/v1/models", "/readyz", "/", "/v1/score/none", "/v1/items"]
)
def test_an_answer_names_no_directory(tmp_path: Path, path: str) -> None:
    parts = build_container(Settings(data_dir=tmp_path))
    (parts.settings.models_dir / "broken").mkdir(parents=True)
    app = create_app(build_service(parts), WebOptions(1_000_000, parts.settings.reports_dir))
    hide_directory(app, parts.settings.data_dir)
    assert str(tmp_path) not in app.test_client().get(path).get_data(as_text=True)


def test_a_message_keeps_everything_else(tmp_path: Path) -> None:
    parts = build_container(Settings(data_dir=tmp_path))
    app = create_app(build_service(parts), WebOptions(1_000_000, tmp_path))
    app.add_url_rule("/named", "named", lambda: {"detail": f"{tmp_path}/models cannot be read (é)"})
    hide_directory(app, tmp_path)
    assert app.test_client().get("/named").get_json() == {
        "detail": "the data directory/models cannot be read (é)"
    }
