"""Changes to the catalogue over HTTP: write, change or delete one item, or write a batch."""

from typing import Any

from flask import Response, jsonify, request
from flask_openapi import APIBlueprint

from reelrank.app.search.service import SearchService
from reelrank.app.web.api.catalogue import fetch_item
from reelrank.app.web.api.item_bodies import (
    BulkAnswer,
    ItemBody,
    ItemDeletedAnswer,
    ItemPatchBody,
    ItemWithIdBody,
    ItemWrittenAnswer,
    build_item,
    change_item,
    describe_bulk_body,
    parse_items,
)
from reelrank.app.web.api.parameters import ItemPath
from reelrank.app.web.openapi import create_api_blueprint, refer_to_model
from reelrank.index_mappings.encoder import choose_encoder
from reelrank.index_mappings.errors import BadRequest, ItemNotFound
from reelrank.index_mappings.item import Item
from reelrank.loaders.items.catalogue import encode_documents


def create_items_api(service: SearchService) -> APIBlueprint:
    api = create_api_blueprint("items", "Changes to the catalogue: one item, or many at a time.")

    @api.put("/items/<path:item_id>", responses={200: ItemWrittenAnswer})
    def put_item(path: ItemPath, body: ItemBody) -> Response:
        """Write one item. It is durable once answered and searchable within two seconds."""
        return write_item(service, build_item(path.item_id, body))

    @api.patch("/items/<path:item_id>", responses={200: ItemWrittenAnswer})
    def patch_item(path: ItemPath, body: ItemPatchBody) -> Response:
        """Change some fields of one item. Of two changes at the same time, the later one wins."""
        return write_item(service, change_item(fetch_item(service, path.item_id), body))

    @api.delete("/items/<path:item_id>", responses={200: ItemDeletedAnswer})
    def delete_item(path: ItemPath) -> Response:
        """Delete one item. No page shows it from then on."""
        if not service.engine.delete([path.item_id]):
            raise ItemNotFound(f"there is no item {path.item_id}")
        return jsonify(id=path.item_id, deleted=True)

    @api.post(
        "/items:bulk",
        request_body=describe_bulk_body(refer_to_model(api, ItemWithIdBody)),
        responses={200: BulkAnswer},
    )
    def put_items() -> Response:
        """Write up to 1000 items, as a JSON list or one JSON object per line; invalid items are reported."""
        items, invalid = parse_items(request.get_data())
        written, rejected = upsert_items(service, items)
        return jsonify(read=len(items) + len(invalid), written=written, rejected=invalid + rejected)

    return api


def write_item(service: SearchService, item: Item) -> Response:
    _, rejected = upsert_items(service, [item])
    if rejected:
        raise BadRequest(f"item {item.id} cannot be written: {rejected[0]['reason']}", code="item_rejected")
    return jsonify(id=item.id, written=True)


def upsert_items(service: SearchService, items: list[Item]) -> tuple[int, list[dict[str, Any]]]:
    """Writes items. Returns how many were written, and the id and reason of each rejected item."""
    written, rejected = 0, list[dict[str, Any]]()
    version = service.refresher.state.version if service.refresher.is_ready else ""
    encoder = choose_encoder(service.encoder, version)
    for batch in encode_documents(items, encoder):
        report = service.engine.upsert(batch)
        written += report.written
        rejected += [{"id": rejection.id, "reason": rejection.reason} for rejection in report.rejected]
    return written, rejected
