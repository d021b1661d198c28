"""The operator pages: an overview, one release, and the buttons that promote or roll back."""

from dataclasses import dataclass

from flask import Blueprint, Response, make_response, redirect, render_template, request

from reelrank.app.release.record import read_release_record
from reelrank.app.search.service import SearchService
from reelrank.app.web.ops.overview import (
    CHARTS,
    Operations,
    build_overview,
    tabulate_days,
    tabulate_exploration,
)
from reelrank.app.web.problems import InvalidRequest

SEE_OTHER = 303


def create_operations_blueprint(service: SearchService, operations: Operations) -> Blueprint:
    pages = OperatorPages(service, operations)
    blueprint = Blueprint("operations", __name__, template_folder="../templates")
    blueprint.add_url_rule("/ops", "overview", pages.render_overview)
    blueprint.add_url_rule("/ops/releases/<release_id>", "release", pages.render_release)
    blueprint.add_url_rule("/ops/promote", "promote", pages.promote, methods=["POST"])
    blueprint.add_url_rule("/ops/rollback", "rollback", pages.roll_back, methods=["POST"])
    return blueprint


@dataclass(frozen=True, slots=True, eq=False)
class OperatorPages:
    """One method per page or button. A button needs the box of its form to be ticked."""

    service: SearchService
    operations: Operations

    def render_overview(self) -> Response:
        overview = build_overview(self.service, self.operations)
        days = tabulate_days(overview.days) if overview.days else []
        titles = {name: title for name, (title, _) in CHARTS.items()}
        explored = tabulate_exploration(overview.days)
        return _render("ops.html", overview=overview, days=days, titles=titles, explored=explored)

    def render_release(self, release_id: str) -> Response:
        """Renders a release with its decisions; of a dropped one, the decisions. Raises NotFound."""
        record = read_release_record(self.operations.releases, self.operations.history, release_id)
        return _render("ops_release.html", record=record)

    def promote(self) -> Response:
        """Makes the release of the form serve, in this worker at once and in the others within a second."""
        _require_confirmation()
        self.operations.releases.promote_release(request.form.get("release", "")[:100])
        return self._return()

    def roll_back(self) -> Response:
        """Returns to the release that served before."""
        _require_confirmation()
        self.operations.releases.rollback()
        return self._return()

    def _return(self) -> Response:
        self.service.refresher.refresh()
        return make_response(redirect("/ops", SEE_OTHER))


def _require_confirmation() -> None:
    """Raises InvalidRequest unless the box is ticked; browsers do not send the form without it."""
    if request.form.get("confirmed") != "yes":
        raise InvalidRequest(("confirmed", "tick the box: this changes what viewers get"))


def _render(template: str, **values: object) -> Response:
    response = make_response(render_template(template, **values))
    response.headers["Cache-Control"] = "no-store"
    return response
