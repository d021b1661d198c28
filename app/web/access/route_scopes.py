"""The scope that each route needs. A route that is missing here is refused to everyone who has no key."""

from typing import Literal

from reelrank.app.access.api_keys import Scope

RouteScope = Scope | Literal["public"]

PUBLIC = (
    "GET /livez", "GET /readyz", "GET /static/<digest>/<name>", "GET /openapi.json", "GET /openapi/",
    "GET /openapi/openapi.json", "GET /openapi/swagger", "GET /openapi/swagger/<path:filename>",
    "GET /openapi/oauth2-redirect.html", "GET /openapi/static/<path:filename>", "GET /problems",
    "GET /problems/<code>", "GET /login", "POST /login", "POST /logout",
)  # fmt: skip
"""Probes, files of this package, documentation, and what leads to a session."""
READ = (
    "GET /v1/search", "POST /v1/search", "GET /v1/recommendations", "GET /v1/popular", "GET /v1/new",
    "GET /v1/items/<path:item_id>/similar", "POST /v1/rank/<model>", "GET /v1/suggest", "GET /v1/items",
    "POST /v1/items:get", "GET /v1/items/<path:item_id>", "GET /v1/models",
    "GET /v1/score/<model>", "POST /v1/score/<model>", "GET /metrics", "GET /", "GET /search",
    "GET /film/<path:item_id>", "GET /why/<request_id>/<int:position>", "GET /quality", "GET /about",
    "GET /report/<name>", "POST /viewer",
)  # fmt: skip
EVENTS = (
    "POST /v1/events", "POST /watch", "POST /like", "POST /dislike", "POST /not_interested", "POST /undo",
    "POST /viewed",
)  # fmt: skip
WRITE = (
    "PUT /v1/items/<path:item_id>", "PATCH /v1/items/<path:item_id>", "DELETE /v1/items/<path:item_id>",
    "POST /v1/items:bulk",
)  # fmt: skip
ADMIN = (
    "POST /v1/models/<string:model>:promote", "GET /v1/users/<path:user_id>",
    "DELETE /v1/users/<path:user_id>", "GET /v1/erasures/<erasure_id>",
    "GET /ops", "GET /ops/releases/<release_id>", "POST /ops/promote", "POST /ops/rollback",
    "GET /ops/experiments", "GET /ops/experiments/<name>",
    "GET /v1/experiments", "POST /v1/experiments", "GET /v1/experiments/<name:name>",
    "POST /v1/experiments/<name:name>:start", "POST /v1/experiments/<name:name>:stop",
)  # fmt: skip
"""Promotions, experiments, the operator pages, and what reads or removes the records of one person."""

ROUTE_SCOPES: dict[str, RouteScope] = {
    **dict.fromkeys(PUBLIC, "public"),
    **dict.fromkeys(READ, "read"),
    **dict.fromkeys(EVENTS, "events"),
    **dict.fromkeys(WRITE, "write"),
    **dict.fromkeys(ADMIN, "admin"),
}  # fmt: skip


def find_scope(method: str, rule: str) -> RouteScope:
    """Returns the scope of a route; `admin` for one that nobody declared."""
    return ROUTE_SCOPES.get(f"{'GET' if method == 'HEAD' else method} {rule}", "admin")
