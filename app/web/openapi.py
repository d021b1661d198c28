"""The OpenAPI description of the service, version 3.1: operations, answers, problems and headers."""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from flask_openapi import APIBlueprint, OpenAPI, Tag
from flask_openapi.models import PathItem, Schema
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from werkzeug.routing import BaseConverter, PathConverter

from reelrank.app.web.access.route_scopes import find_scope
from reelrank.app.web.problem_codes import ProblemCode, list_http_problems
from reelrank.app.web.problems import MEDIA_TYPE, build_problem_schema

VERSION = "3.1.0"
SECURITY_SCHEME = "key"
KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, `rr_<id>_<secret>`. On loopback a service may need none.",
}
CONVERTER = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")
"""A parameter in a rule of Flask."""
EXAMPLES = Path(__file__).with_name("openapi_examples.json")
"""Operation id to an example of its answer and, where it has one, of its body."""

JsonObject = dict[str, Any]
TEXT: JsonObject = {"type": "string"}
HEADERS: dict[str, JsonObject] = {
    "X-Request-Id": {"description": "Also in the log line of the request.", "schema": TEXT},
    "Cache-Control": {"description": "`no-store`, or how long a file may be kept.", "schema": TEXT},
    "Server-Timing": {"description": "Milliseconds by stage of the request.", "schema": TEXT},
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "How to send a key.", "schema": TEXT},
    "Allow": {"description": "The methods of this address.", "schema": TEXT},
}
EVERY_OPERATION = {"400", "401", "403", "404", "405", "408", "414", "429", "431", "500", "503", "504"}
"""Statuses of problems that any address can answer with. 404: an unknown item, model or cursor."""
WRITING = {"409", "413", "415"}
"""Statuses of operations that have a body or change something."""


class AnswerSchema(GenerateJsonSchema):
    """An absent field of an answer has no default: a client must not take one for a value."""

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def create_api_blueprint(name: str, description: str, prefix: str | None = "/v1") -> APIBlueprint:
    """Creates a group of operations. The id of an operation is the name of its function."""
    return APIBlueprint(
        name,
        __name__,
        url_prefix=prefix,
        abp_tags=[Tag(name=name, description=description)],
        operation_id_callback=_name_operation,
    )


def refer_to_model(api: APIBlueprint, model: type[BaseModel]) -> JsonObject:
    """Adds the schema of a body that Flask does not parse, and returns a reference to it."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    for name, definition in schema.pop("$defs", {}).items():
        api.components_schemas[name] = Schema(**definition)
    api.components_schemas[model.__name__] = Schema(**schema)
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _name_operation(*, name: str, **_: str) -> str:
    return name


class NameConverter(BaseConverter):
    """A name that an action may follow, as in `/v1/experiments/<name>:start`: it holds no colon itself."""

    regex = "[^/:]+"


class SlashConverter(PathConverter):
    """Any text with slashes, also at its start, as ids of items and viewers may have them."""

    regex = "(?s:.+?)"  # a line break, too: ids of viewers may have them
    part_isolating = False  # the default of a pattern without a slash is True


class DescribedApplication(OpenAPI):
    """Generates version 3.1 and describes every failure as a problem, in place of flask-openapi's own."""

    def __init__(
        self, *args: Any, only_ranking_role: bool = False, needs_keys: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.needs_keys = needs_keys
        self.openapi_version = VERSION
        self.url_map.merge_slashes = False  # an id may hold two slashes
        self.url_map.converters["path"] = SlashConverter
        self.url_map.converters["name"] = NameConverter
        self.problems = list_http_problems(only_ranking_role)

    def register_api(self, api: APIBlueprint, **options: Any) -> None:
        """Registers a group of operations. Two groups may share an address, with different methods."""
        for address, operations in api.paths.items():
            for method, operation in self.paths.get(address, PathItem()):
                if operation is not None and getattr(operations, method) is None:
                    setattr(operations, method, operation)
        super().register_api(api, **options)

    def generate_spec_json(self) -> None:
        super().generate_spec_json()  # type: ignore[no-untyped-call]  # of flask-openapi
        components = self.spec_json["components"]
        components["schemas"].pop(self.validation_error_model.__name__)
        components["schemas"]["Problem"] = build_problem_schema()
        components["headers"] = HEADERS
        components["responses"] = _build_problem_responses(self.problems)
        components["securitySchemes"] = {SECURITY_SCHEME: KEY_SCHEME}
        for path, operations in self.spec_json["paths"].items():
            for method, operation in operations.items():
                _complete_operation(method, operation, components["responses"])
                _describe_access(operation, self._find_scope(method, path), self.needs_keys)

    def _find_scope(self, method: str, path: str) -> str:
        """Returns the scope of an operation, whose path the description writes in another way than Flask."""
        for rule in self.url_map.iter_rules():
            if method.upper() in (rule.methods or ()) and CONVERTER.sub(r"{\1}", rule.rule) == path:
                return find_scope(method.upper(), rule.rule)
        raise LookupError(f"no route {method} {path}")


def _describe_access(operation: JsonObject, scope: str, needs_keys: bool) -> None:
    """States the scope of an operation, and the key that this service asks for if it asks for one."""
    if scope == "public":
        operation["responses"].pop("401", None)
        operation["security"] = []
        return
    operation["x-scope"] = scope
    if needs_keys:
        operation["security"] = [{SECURITY_SCHEME: [scope]}]


def _complete_operation(method: str, operation: JsonObject, problems: JsonObject) -> None:
    """Adds headers and the example to the answer, and the problems that the operation can answer with."""
    example = _read_examples().get(operation["operationId"], {})
    answers = operation["responses"]
    for answer in answers.values():
        answer["headers"] = _refer_to_headers("X-Request-Id", "Cache-Control")
        if "application/json" in answer.get("content", {}) and "answer" in example:
            answer["content"]["application/json"]["example"] = example["answer"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and "body" in example:
        body["example"] = example["body"]
    statuses = EVERY_OPERATION | (WRITING if method != "get" else {"409"})
    for status in sorted(statuses & problems.keys()):
        answers[status] = {"$ref": f"#/components/responses/{status}"}


def _build_problem_responses(problems: list[ProblemCode]) -> JsonObject:
    """Returns one response for each status of a problem, that lists the codes of the status."""
    by_status: dict[str, list[ProblemCode]] = defaultdict(list)
    for problem in problems:
        by_status[str(int(problem.status or 500))].append(problem)
    return {status: _build_problem_response(status, listed) for status, listed in by_status.items()}


def _build_problem_response(status: str, problems: list[ProblemCode]) -> JsonObject:
    names = [
        "X-Request-Id",
        *{
            "401": ["WWW-Authenticate"],
            "405": ["Allow"],
            "429": ["Retry-After"],
            "503": ["Retry-After"],
            "504": ["Retry-After"],
        }.get(status, []),
    ]
    first = problems[0]
    example = {
        "type": first.type_uri,
        "code": first.code,
        "title": first.title,
        "status": int(status),
        "detail": first.meaning,
        "instance": "/v1/search",
        "request_id": "6f1c2a",
    }
    return {
        "description": "\n".join(f"- `{problem.code}`: {problem.meaning}" for problem in problems),
        "headers": _refer_to_headers(*names),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }


def _refer_to_headers(*names: str) -> JsonObject:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


@cache
def _read_examples() -> JsonObject:
    examples: JsonObject = orjson.loads(EXAMPLES.read_bytes())
    return examples
