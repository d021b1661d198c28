"""Data views, saved searches, panels and dashboards as the lines of an import file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from app.kibana.panels import DASHBOARDS, EVENTS, IMPRESSIONS, ITEMS, PANELS, REQUESTS, DashboardId, Panel

Json = dict[str, Any]
Product = Literal["elasticsearch", "opensearch"]
WIDTH, HEIGHT = 24, 14
"""Of a panel on the dashboard's grid, which is 48 wide: two panels a row."""
SEARCHED_INDEX = "kibanaSavedObjectMeta.searchSourceJSON.index"
DURATION = {"outputFormat": "humanizePrecise", "outputPrecision": 1, "useShortSuffix": True}
FORMATS: dict[str, Json] = {
    ITEMS: {
        "duration_s": {"id": "duration", "params": {"inputFormat": "seconds", **DURATION}},
        "thumbnail": {"id": "url", "params": {"type": "img"}},
        "year": {"id": "number", "params": {"pattern": "0"}},
    },
    EVENTS: {
        "watched_ms": {"id": "duration", "params": {"inputFormat": "milliseconds", **DURATION}},
        "duration_ms": {"id": "duration", "params": {"inputFormat": "milliseconds", **DURATION}},
        "at_ms": {"id": "date", "params": {}},
        "position": {"id": "number", "params": {"pattern": "0"}},
    },
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
class Search:
    """A saved search. kql: in Kibana's query language, which Dashboards reads as DQL."""

    id: str
    title: str
    of: str
    kql: str
    columns: tuple[str, ...]


SEARCHES = (
    Search("impressions", "Impressions", IMPRESSIONS, "kind: impression",
           ("user", "item", "position", "page", "model", "sources", "score", "request_id")),
    Search("drawn", "Places that were drawn", IMPRESSIONS, "propensity: *",
           ("kind", "user", "item", "position", "came_from", "propensity", "page", "model", "request_id")),
    Search("followed", "What followed impressions", IMPRESSIONS, "not kind: impression",
           ("kind", "user", "item", "position", "model", "sources", "watched_ms", "request_id")),
    Search("watches", "Watches", EVENTS, "kind: watch",
           ("user", "item", "watched_ms", "duration_ms", "request_id", "position")),
    Search("searches", "Searches", EVENTS, "kind: search", ("user", "text", "device", "country")),
    Search("degraded", "Degraded pages", REQUESTS, "degraded: *",
           ("request_id", "kind", "model", "degraded", "took_ms", "candidates")),
    Search("undescribed", "Items without a description", ITEMS, "not description: *",
           ("id", "title", "genres", "year", "language")),
)  # fmt: skip
VERSIONS: dict[Product, dict[str, str]] = {
    "elasticsearch": {
        "index-pattern": "8.0.0", "search": "8.0.0", "visualization": "8.5.0", "dashboard": "8.9.0",
    },
    "opensearch": {
        "index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3",
    },
}  # fmt: skip
"""The form of each type as written here; newer products bring it up to date themselves."""


@dataclass(frozen=True, slots=True)
class House:
    """Whose objects they are. prefix: of everything on the cluster; see REELRANK_ENGINE_PREFIX."""

    product: Product
    prefix: str = "reelrank-"

    def index(self, of: str) -> str:
        return f"{self.prefix}{of}"

    def import_file(self) -> bytes:
        """One object a line, what is referred to before what refers to it."""
        return b"".join(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in self.objects())

    def objects(self) -> Iterator[Json]:
        yield self._object("index-pattern", ITEMS, self._data_view(ITEMS), [])
        for of in (EVENTS, REQUESTS, IMPRESSIONS):
            view = self._data_view(of) | {"timeFieldName": "@timestamp"}
            yield self._object("index-pattern", of, view, [])
        for search in SEARCHES:
            reference = self._reference(
                "kibanaSavedObjectMeta.searchSourceJSON.index", "index-pattern", search.of
            )
            yield self._object("search", search.id, _search(search), [reference])
        for panel in PANELS:
            yield self._object("visualization", panel.id, _visualization(panel, self.index(panel.of)), [])
        for dashboard, title in DASHBOARDS.items():
            yield self._dashboard(dashboard, title)

    def _data_view(self, of: str) -> Json:
        index = self.index(of)
        return {"title": index, "fields": "[]", "fieldFormatMap": _text(FORMATS[of])}

    def _dashboard(self, dashboard: DashboardId, title: str) -> Json:
        panels = [panel for panel in PANELS if panel.dashboard == dashboard]
        attributes = {
            "title": title,
            "description": "",
            "optionsJSON": _text({"useMargins": True, "hidePanelTitles": False}),
            "panelsJSON": _text([_place(place) for place in range(len(panels))]),
            "timeRestore": False,
            "version": 1,
            "kibanaSavedObjectMeta": {"searchSourceJSON": _text(_query(""))},
        }
        named = "{0}:panel_{0}" if self.product == "elasticsearch" else "panel_{0}"
        references = [
            self._reference(named.format(place), "visualization", panel.id)
            for place, panel in enumerate(panels)
        ]
        return self._object("dashboard", dashboard, attributes, references)

    def _object(self, kind: str, name: str, attributes: Json, references: list[Json]) -> Json:
        version = VERSIONS[self.product][kind]
        form: Json = {"migrationVersion": {kind: version}}
        if self.product == "elasticsearch":
            form = {"coreMigrationVersion": "8.8.0", "typeMigrationVersion": version}
        ours = {"id": self._id(name), "type": kind, "attributes": attributes, "references": references}
        return ours | form

    def _reference(self, name: str, kind: str, to: str) -> Json:
        return {"name": name, "type": kind, "id": self._id(to)}

    def _id(self, name: str) -> str:
        return f"{self.prefix}{name}"


def _search(search: Search) -> Json:
    source = _query(search.kql) | {"indexRefName": SEARCHED_INDEX}
    return {
        "title": f"reelrank: {search.title}",
        "description": "",
        "columns": list(search.columns),
        "sort": [["@timestamp", "desc"]] if search.of != ITEMS else [],
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(source)},
    }


def _visualization(panel: Panel, index: str) -> Json:
    spec = orjson.dumps(panel.spec(index), option=orjson.OPT_INDENT_2).decode()
    state = {"title": panel.title, "type": "vega", "params": {"spec": spec}, "aggs": []}
    return {
        "title": f"reelrank: {panel.title}",
        "description": "",
        "visState": _text(state),
        "uiStateJSON": "{}",
        "version": 1,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(_query(""))},
    }


def _place(place: int) -> Json:
    x, y = place % 2 * WIDTH, place // 2 * HEIGHT
    return {
        "type": "visualization",
        "panelIndex": str(place),
        "panelRefName": f"panel_{place}",
        "gridData": {"x": x, "y": y, "w": WIDTH, "h": HEIGHT, "i": str(place)},
        "embeddableConfig": {},
    }


def _query(kql: str) -> Json:
    return {"query": {"query": kql, "language": "kuery"}, "filter": []}


def _text(value: object) -> str:
    """JSON within JSON, as these products keep it."""
    return orjson.dumps(value).decode()
