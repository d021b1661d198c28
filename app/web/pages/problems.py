"""The pages about problem codes: one that lists them, and one for each."""

from http import HTTPStatus

from flask import Blueprint, Response, abort, make_response, render_template
from markupsafe import Markup, escape

from reelrank.app.web.pages.person import ViewerProfile, read_user_id
from reelrank.app.web.problem_codes import ProblemCode, list_http_problems, load_problems


def create_problems_blueprint(only_ranking_role: bool = False) -> Blueprint:
    """Serves /problems and /problems/<code>.

    only_ranking_role: list the codes that role ranking sends, on pages without links to films.
    """
    layout = "frame.html" if only_ranking_role else "base.html"
    listed = (
        list_http_problems(only_ranking_role=True) if only_ranking_role else list(load_problems().values())
    )
    blueprint = Blueprint("problems", __name__, template_folder="../templates")
    blueprint.add_app_template_filter(mark_code, "mark_code")

    @blueprint.get("/problems")
    def problems() -> Response:
        return _render("problems.html", layout, problems=listed)

    @blueprint.get("/problems/<code>")
    def problem(code: str) -> Response:
        found = next((problem for problem in listed if problem.code == code), None)
        if found is None:
            abort(HTTPStatus.NOT_FOUND, f"there is no problem code {code!r}; /problems lists them all")
        return _render("problem.html", layout, problem=found)

    return blueprint


def mark_code(text: str) -> Markup:
    """Turns `backticks` into code elements; everything else is escaped."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in enumerate(parts)
    )


def _render(template: str, layout: str, **values: list[ProblemCode] | ProblemCode) -> Response:
    viewer = ViewerProfile(read_user_id())
    response = make_response(render_template(template, layout=layout, viewer=viewer, **values))
    response.headers["Cache-Control"] = "no-store"
    return response
