"""The dashboards and all of their panels."""

from collections.abc import Mapping

from deploy.kibana.catalogue_panels import CATALOGUE_PANELS
from deploy.kibana.panel import DashboardId, Panel
from deploy.kibana.ranking_panels import RANKING_PANELS
from deploy.kibana.traffic_panels import TRAFFIC_PANELS

PANELS: tuple[Panel, ...] = (*TRAFFIC_PANELS, *CATALOGUE_PANELS, *RANKING_PANELS)
DASHBOARDS: Mapping[DashboardId, str] = {
    "traffic": "reelrank: traffic",
    "catalogue": "reelrank: catalogue",
    "ranking": "reelrank: ranking",
}
