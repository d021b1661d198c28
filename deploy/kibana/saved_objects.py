"""Data views, saved searches, panels and dashboards as lines of an import file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from deploy.kibana.dashboards import DASHBOARDS, PANELS
from deploy.kibana.panel import EVENTS, IMPRESSIONS, ITEMS, REQUESTS, DashboardId, Panel
from reelrank.app.kibana.importer import DEFAULT_PREFIX, Product
from reelrank.index_mappings import event
from reelrank.index_mappings.event import EVENT_FIELDS

Json = dict[str, Any]
PANEL_WIDTH, PANEL_HEIGHT = 24, 14
"""Size of a panel on the grid of a dashboard, which is 48 wide: two panels in a row."""
SEARCHED_INDEX = "kibanaSavedObjectMeta.searchSourceJSON.index"
DURATION = {"outputFormat": "humanizePrecise", "outputPrecision": 1, "useShortSuffix": True}
EVENT_FORMATS: dict[event.FieldType, Json] = {
    event.DURATION: {"id": "duration", "params": {"inputFormat": "milliseconds", **DURATION}},
    event.TIMESTAMP: {"id": "date", "params": {}},
    event.COUNT: {"id": "number", "params": {"pattern": "0"}},
    event.PROBABILITY: {"id": "percent", "params": {"pattern": "0.0%"}},
}
FORMATS: dict[str, Json] = {
    ITEMS: {
        "duration_s": {"id": "duration", "params": {"inputFormat": "seconds", **DURATION}},
        "thumbnail": {"id": "url", "params": {"type": "img"}},
        "year": {"id": "number", "params": {"pattern": "0"}},
    },
    EVENTS: {field.name: EVENT_FORMATS[field.type] for field in EVENT_FIELDS if field.type in EVENT_FORMATS},
    REQUESTS: {
        "took_ms": {"id": "number", "params": {"pattern": "0.0"}},
        "candidates": {"id": "number", "params": {"pattern": "0,0"}},
    },
    IMPRESSIONS: {
        "watched_ms": {"id": "duration", "params": {"inputFormat": "milliseconds", **DURATION}},
        "duration_ms": {"id": "duration", "params": {"inputFormat": "milliseconds", **DURATION}},
        "position": {"id": "number", "params": {"pattern": "0"}},
        "score": {"id": "number", "params": {"pattern": "0.000"}},
        "propensity": {"id": "percent", "params": {"pattern": "0.0%"}},
    },
}


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A saved search. kql: in Kibana's query language, which Dashboards reads as DQL."""

    id: str
    title: str
    dataset: str
    kql: str
    columns: tuple[str, ...]


SEARCHES = (
    SavedSearch("impressions", "Impressions", IMPRESSIONS, "kind: impression",
           ("user", "item", "position", "page", "model", "sources", "score", "request_id")),
    SavedSearch("drawn", "Exploration slots", IMPRESSIONS, "propensity: *",
           ("kind", "user", "item", "position", "came_from", "propensity", "page", "model", "request_id")),
    SavedSearch("followed", "Actions after impressions", IMPRESSIONS, "not kind: impression",
           ("kind", "user", "item", "position", "model", "sources", "watched_ms", "request_id")),
    SavedSearch("watches", "Watches", EVENTS, "kind: watch",
           ("user", "item", "watched_ms", "duration_ms", "request_id", "position")),
    SavedSearch("searches", "Searches", EVENTS, "kind: search", ("user", "text", "device", "country")),
    SavedSearch("degraded", "Degraded pages", REQUESTS, "degraded: *",
           ("request_id", "kind", "model", "degraded", "took_ms", "candidates")),
    SavedSearch("undescribed", "Items without description", ITEMS, "not description: *",
           ("id", "title", "genres", "year", "languages")),
)  # fmt: skip
VERSIONS: dict[Product, dict[str, str]] = {
    "elasticsearch": {
        "index-pattern": "8.0.0", "search": "8.0.0", "visualization": "8.5.0", "dashboard": "8.9.0",
    },
    "opensearch": {
        "index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3",
    },
}  # fmt: skip
"""Schema version of each object type as written here; newer products migrate the objects."""


@dataclass(frozen=True, slots=True)
class SavedObjectBuilder:
    """Builds the objects of a product. prefix: of every index and object id; see REELRANK_ENGINE_PREFIX."""

    product: Product
    prefix: str = DEFAULT_PREFIX

    def index_name(self, dataset: str) -> str:
        return f"{self.prefix}{dataset}"

    def build_import_file(self) -> bytes:
        """Returns one object per line; an object stands before those that refer to it."""
        return b"".join(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in self.build_objects())

    def build_objects(self) -> Iterator[Json]:
        yield self._build_object("index-pattern", ITEMS, self._build_data_view(ITEMS), [])
        for dataset in (EVENTS, REQUESTS, IMPRESSIONS):
            view = self._build_data_view(dataset) | {"timeFieldName": "@timestamp"}
            yield self._build_object("index-pattern", dataset, view, [])
        for search in SEARCHES:
            reference = self._build_reference(
                "kibanaSavedObjectMeta.searchSourceJSON.index", "index-pattern", search.dataset
            )
            yield self._build_object("search", search.id, _build_search(search), [reference])
        for panel in PANELS:
            yield self._build_object(
                "visualization", panel.id, _build_visualization(panel, self.index_name(panel.dataset)), []
            )
        for dashboard, title in DASHBOARDS.items():
            yield self._build_dashboard(dashboard, title)

    def _build_data_view(self, dataset: str) -> Json:
        index = self.index_name(dataset)
        return {"title": index, "fields": "[]", "fieldFormatMap": _dump_json(FORMATS[dataset])}

    def _build_dashboard(self, dashboard_id: DashboardId, title: str) -> Json:
        panels = [panel for panel in PANELS if panel.dashboard == dashboard_id]
        attributes = {
            "title": title,
            "description": "",
            "optionsJSON": _dump_json({"useMargins": True, "hidePanelTitles": False}),
            "panelsJSON": _dump_json([_build_grid_panel(index) for index in range(len(panels))]),
            "timeRestore": False,
            "version": 1,
            "kibanaSavedObjectMeta": {"searchSourceJSON": _dump_json(_build_query(""))},
        }
        name = "{0}:panel_{0}" if self.product == "elasticsearch" else "panel_{0}"
        references = [
            self._build_reference(name.format(index), "visualization", panel.id)
            for index, panel in enumerate(panels)
        ]
        return self._build_object("dashboard", dashboard_id, attributes, references)

    def _build_object(
        self, object_type: str, object_id: str, attributes: Json, references: list[Json]
    ) -> Json:
        version = VERSIONS[self.product][object_type]
        versions: Json = {"migrationVersion": {object_type: version}}
        if self.product == "elasticsearch":
            versions = {"coreMigrationVersion": "8.8.0", "typeMigrationVersion": version}
        content = {
            "id": self._prefix_id(object_id),
            "type": object_type,
            "attributes": attributes,
            "references": references,
        }
        return content | versions

    def _build_reference(self, name: str, object_type: str, target_id: str) -> Json:
        return {"name": name, "type": object_type, "id": self._prefix_id(target_id)}

    def _prefix_id(self, object_id: str) -> str:
        return f"{self.prefix}{object_id}"


def _build_search(search: SavedSearch) -> Json:
    source = _build_query(search.kql) | {"indexRefName": SEARCHED_INDEX}
    return {
        "title": f"reelrank: {search.title}",
        "description": "",
        "columns": list(search.columns),
        "sort": [["@timestamp", "desc"]] if search.dataset != ITEMS else [],
        "kibanaSavedObjectMeta": {"searchSourceJSON": _dump_json(source)},
    }


def _build_visualization(panel: Panel, index: str) -> Json:
    spec = orjson.dumps(panel.build_spec(index), option=orjson.OPT_INDENT_2).decode()
    state = {"title": panel.title, "type": "vega", "params": {"spec": spec}, "aggs": []}
    return {
        "title": f"reelrank: {panel.title}",
        "description": "",
        "visState": _dump_json(state),
        "uiStateJSON": "{}",
        "version": 1,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _dump_json(_build_query(""))},
    }


def _build_grid_panel(index: int) -> Json:
    x, y = index % 2 * PANEL_WIDTH, index // 2 * PANEL_HEIGHT
    return {
        "type": "visualization",
        "panelIndex": str(index),
        "panelRefName": f"panel_{index}",
        "gridData": {"x": x, "y": y, "w": PANEL_WIDTH, "h": PANEL_HEIGHT, "i": str(index)},
        "embeddableConfig": {},
    }


def _build_query(kql: str) -> Json:
    return {"query": {"query": kql, "language": "kuery"}, "filter": []}


def _dump_json(value: object) -> str:
    """Returns JSON text to be stored within JSON, as these products do."""
    return orjson.dumps(value).decode()
