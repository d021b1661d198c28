"""Experiments over HTTP: create a draft, start it, stop it, and read what there is."""

from typing import Annotated

from flask import Response, jsonify
from flask_openapi import APIBlueprint
from pydantic import AwareDatetime, BaseModel, Field

from reelrank.app.web.api.answer_models import Answer
from reelrank.app.web.openapi import create_api_blueprint
from reelrank.ranking.experiments.definition import ExperimentDefinition
from reelrank.ranking.experiments.experiment import Status
from reelrank.ranking.experiments.store import FileExperiments

CREATED = 201


class ExperimentPath(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=40)]


class StopBody(BaseModel):
    reason: str = Field("", max_length=1000, description="Why it ends, for those who read it later.")


class ExperimentAnswer(Answer):
    """One experiment. offset: where its part of the layer begins."""

    name: str
    status: Status
    created_at: AwareDatetime
    started_at: AwareDatetime | None
    stopped_at: AwareDatetime | None
    stopped_reason: str
    offset: float
    definition: ExperimentDefinition


class ExperimentsAnswer(Answer):
    experiments: list[ExperimentAnswer] = Field(description="Newest first.")


def create_experiments_api(experiments: FileExperiments) -> APIBlueprint:
    api = create_api_blueprint("experiments", "Experiments: which viewers are ranked in which way.")

    @api.get("/experiments", responses={200: ExperimentsAnswer})
    def list_experiments() -> Response:
        """List the experiments, newest first."""
        return jsonify(experiments=[one.describe() for one in experiments.list_experiments()])

    @api.post("/experiments", responses={201: ExperimentAnswer})
    def create_experiment(body: ExperimentDefinition) -> tuple[Response, int]:
        """Create a draft, or replace one of the same name. No viewer is in it before it is started."""
        return jsonify(experiments.create(body).describe()), CREATED

    @api.get("/experiments/<name:name>", responses={200: ExperimentAnswer})
    def get_experiment(path: ExperimentPath) -> Response:
        """Return one experiment with its definition."""
        return jsonify(experiments.find(path.name).describe())

    @api.post("/experiments/<name:name>:start", responses={200: ExperimentAnswer})
    def start_experiment(path: ExperimentPath) -> Response:
        """Start a draft: within a second every worker ranks its viewers by their arms."""
        return jsonify(experiments.start(path.name).describe())

    @api.post("/experiments/<name:name>:stop", responses={200: ExperimentAnswer})
    def stop_experiment(path: ExperimentPath, body: StopBody) -> Response:
        """Stop an experiment: all viewers get what serves. What was measured stays."""
        return jsonify(experiments.stop(path.name, body.reason).describe())

    return api
