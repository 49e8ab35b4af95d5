"""Grafana's JSON from the boards, by Grafana's own SDK."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    ScaleDistribution,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from ops.dashboards.panels import Board, Panel, Query

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
#: Lines that mark moments on every graph.
ANNOTATIONS = (
    ("Start", 'changes(kedis_start_time_seconds{instance=~"$instance"}[1m]) > 0', "green"),
    ("Rewrite", 'kedis_aof_rewrite_in_progress{instance=~"$instance"} == 1', "blue"),
    (
        "Eviction begins",
        'sum by (instance) (rate(kedis_evicted_keys_total{instance=~"$instance"}[1m])) > 0 '
        'unless sum by (instance) (rate(kedis_evicted_keys_total{instance=~"$instance"}[1m] offset 1m)) > 0',
        "orange",
    ),
)
VARIABLES = {
    "instance": "label_values(kedis_build_info, instance)",
    "cmd": 'label_values(kedis_commands_total{instance=~"$instance"}, cmd)',
}


def to_json(board: Board) -> str:
    """The dashboard as Grafana's files hold it."""
    made = (
        dashboard.Dashboard(board.title).uid(board.uid).description(board.description).tags(list(board.tags))
    )
    made.readonly().refresh("10s").time("now-30m", "now").timezone("browser")
    made.tooltip(DashboardCursorSync.CROSSHAIR)
    made.with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    made.with_variable(_variable("instance"))
    if board.by_command:
        made.with_variable(_variable("cmd"))
    for name, expr, colour in ANNOTATIONS:
        made.annotation(
            dashboard.AnnotationQuery()
            .name(name)
            .datasource(SOURCE)
            .enable(True)
            .icon_color(colour)
            .expr(expr)
        )
    link = dashboard.DashboardLink("Kedis").type(DashboardLinkType.DASHBOARDS).tags(["kedis"])
    made.link(
        link.as_dropdown(False).include_vars(True).keep_time(True).target_blank(False).icon("external link")
    )
    for row in board.rows:
        made.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            made.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def _variable(name: str) -> Any:
    variable = dashboard.QueryVariable(name).datasource(SOURCE).query(VARIABLES[name])
    variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).multi(True).include_all(True)
    return variable.all_value(".*").current(VariableOption(selected=True, text=["All"], value=["$__all"]))


def _panel(panel: Panel) -> Any:
    made = _MAKERS[panel.kind](panel)
    made.title(panel.title).description(panel.description).datasource(SOURCE)
    made.span(panel.width).height(panel.height)
    for number, query in enumerate(panel.queries):
        made.with_target(_target(panel, query, chr(ord("A") + number)))
    if panel.kind != "heatmap":
        made.unit(panel.unit)
        steps = [Threshold(value=None, color="green")]
        steps += [Threshold(value=value, color=colour) for value, colour in panel.thresholds]
        made.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.least is not None:
        made.min(panel.least)
    return made


def _target(panel: Panel, query: Query, name: str) -> Any:
    target = prometheus.Dataquery().expr(query.expr).ref_id(name).datasource(SOURCE)
    if query.legend:
        target.legend_format(query.legend)
    if panel.kind == "heatmap":
        return target.format(PromQueryFormat.HEATMAP).range()
    if panel.kind == "table":
        return target.format(PromQueryFormat.TABLE).instant()
    return target.range()


def _lines(panel: Panel) -> Any:
    made = timeseries.Panel().line_width(1).fill_opacity(25 if panel.stacked else 8)
    made.legend(
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.RIGHT)
        .calcs(["lastNotNull"])
    )
    made.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    if panel.stacked:
        made.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if panel.thresholds:
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
    return made


def _stat(_panel: Panel) -> Any:
    return stat.Panel().graph_mode(BigValueGraphMode.AREA)


def _heatmap(panel: Panel) -> Any:
    axis = heatmap.YAxisConfig().unit(panel.unit)
    axis.scale_distribution(common.ScaleDistributionConfig().type(ScaleDistribution.LOG).log(2))
    colours = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    return heatmap.Panel().calculate(False).y_axis(axis).color(colours)


def _table(_panel: Panel) -> Any:
    return table.Panel()


_MAKERS = {"lines": _lines, "stat": _stat, "heatmap": _heatmap, "table": _table}
