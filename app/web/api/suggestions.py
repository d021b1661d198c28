"""Suggestions over HTTP, while a text is typed."""

from flask import Response, jsonify
from flask_openapi import APIBlueprint

from reelrank.app.search.lexical.suggestions import suggest
from reelrank.app.search.service import SearchService
from reelrank.app.web.answers import serialize_suggestion
from reelrank.app.web.api.answer_models import SuggestionsAnswer
from reelrank.app.web.api.parameters import SuggestParameters
from reelrank.app.web.openapi import create_api_blueprint


def create_suggestions_api(service: SearchService) -> APIBlueprint:
    api = create_api_blueprint("suggestions", "Titles and people for a text that is being typed.")

    @api.get("/suggest", responses={200: SuggestionsAnswer})
    def list_suggestions(query: SuggestParameters) -> Response:
        """Suggest titles and people that begin with a text, also with a typo; popular ones first."""
        suggestions = suggest(
            query.q, query.limit, service.refresher.state, service.engine, service.deadline_s
        )
        return jsonify(
            q=query.q, suggestions=[serialize_suggestion(suggestion) for suggestion in suggestions]
        )

    return api
