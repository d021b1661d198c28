"""The catalogue over HTTP: list it, or read one item or many."""

from urllib.parse import urlencode

from flask import Response, jsonify, request
from flask_openapi import APIBlueprint

from reelrank.app.search.hydration import FETCH_TIMEOUT_S
from reelrank.app.search.service import SearchService
from reelrank.app.web.answers import serialize_item
from reelrank.app.web.api.answer_models import FoundItemsAnswer, ItemAnswer, ItemsAnswer
from reelrank.app.web.api.item_bodies import CatalogueParameters, ItemIdsBody
from reelrank.app.web.api.parameters import ItemPath
from reelrank.app.web.openapi import create_api_blueprint
from reelrank.index_mappings.errors import ItemNotFound, Unavailable
from reelrank.index_mappings.item import Item


def create_catalogue_api(service: SearchService) -> APIBlueprint:
    api = create_api_blueprint("catalogue", "The catalogue: all items in parts, one, or some by their ids.")

    @api.get("/items", responses={200: ItemsAnswer})
    def list_items(query: CatalogueParameters) -> Response:
        """List the catalogue in the order of ids."""
        items, cursor = list_catalogue(service, query)
        address = f"{request.path}?{urlencode({'cursor': cursor, 'limit': query.limit})}" if cursor else None
        return jsonify(items=[serialize_item(item) for item in items], cursor=cursor, next=address)

    @api.post("/items:get", responses={200: FoundItemsAnswer})
    def get_items(body: ItemIdsBody) -> Response:
        """Read up to 1000 items by their ids."""
        items = dict(zip(body.ids, service.engine.fetch(body.ids, FETCH_TIMEOUT_S), strict=True))
        found = [serialize_item(item) for item in items.values() if item is not None]
        return jsonify(items=found, missing=[item_id for item_id, item in items.items() if item is None])

    @api.get("/items/<path:item_id>", responses={200: ItemAnswer})
    def get_item(path: ItemPath) -> Response:
        """Read one item."""
        return jsonify(serialize_item(fetch_item(service, path.item_id)))

    return api


def list_catalogue(service: SearchService, page: CatalogueParameters) -> tuple[list[Item], str | None]:
    """Returns the items of one page and the cursor of the next, None at the end. Raises Unavailable."""
    version = service.engine.serving_version()
    if version is None:
        raise Unavailable("no index version is serving; load items first", code="no_index_version")
    batches = service.engine.scan(version, page.limit + 1, page.cursor or "")
    ids = [document.item.id for document in next(batches, [])]
    items = service.engine.fetch(ids[: page.limit], FETCH_TIMEOUT_S)
    cursor = ids[page.limit - 1] if len(ids) > page.limit else None
    return [item for item in items if item is not None], cursor


def fetch_item(service: SearchService, item_id: str) -> Item:
    """Reads one item. Raises ItemNotFound."""
    (item,) = service.engine.fetch([item_id], FETCH_TIMEOUT_S)
    if item is None:
        raise ItemNotFound(f"there is no item {item_id}")
    return item
