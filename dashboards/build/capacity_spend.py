"""Capacity: what asking AWS costs, against the budget. Only money that the exporter itself counts stands here."""

from __future__ import annotations

from dashboards.build.links import runbook, to
from dashboards.build.panels import Column, Key, Query, Row, Series, Stat, Table
from dashboards.build.queries import most, where
from dashboards.build.thresholds import high, number

HOURS = 730
SECONDS = HOURS * 3600

_HOUR = where("cluster:storage_exporter_cost:dollars_per_month_1h", place=("cluster",))
_DAY = where("cluster:storage_exporter_cost:dollars_per_month_1d", place=("cluster",))
_BUDGET = most(where("storage_exporter_aws_budget_dollars_per_month", place=("cluster",)), "cluster")
_SERVICE = "cluster, account_id, region, aws_service, tier"
_PLAN = most(where("storage_exporter_aws_projected_dollars_per_month"), _SERVICE)
_FULL = most(where("storage_exporter_aws_projected_full_dollars_per_month"), _SERVICE)
_DEFERRED = "storage_exporter_deferred_rows"


def _monthly(family: str, by: str) -> str:
    return f"sum by ({by}) (rate({where(family)}[$__rate_interval])) * {SECONDS}"


def _left_out(reason: str) -> str:
    return most(where(_DEFERRED, also=f'reason="{reason}"'), _SERVICE)


def row() -> Row:
    """The row."""
    return Row(
        title="What asking AWS costs (list prices, as the exporter counts them)",
        panels=[
            Stat(
                title="A month, as the last hour goes",
                says="What the exporter's calls come to. Good: below the budget.",
                unit="currencyUSD",
                queries=[Query(f"sum({_HOUR})")],
                decimals=2,
                width=5,
            ),
            Stat(
                title="A month, as the last day goes",
                says="The same over a day: what the bill will say. Good: below the budget.",
                unit="currencyUSD",
                queries=[Query(f"sum({_DAY})")],
                decimals=2,
                width=5,
            ),
            Stat(
                title="Budget",
                says="What the configuration allows a month. None: nothing is left out to save money.",
                unit="currencyUSD",
                queries=[Query(f"sum({_BUDGET})")],
                decimals=0,
                empty="no budget set",
                width=4,
            ),
            Stat(
                title="Of the budget",
                says="The last day over the budget. Good: below 100 %; above 110 % it alerts.",
                unit="percentunit",
                queries=[Query(f"max({_DAY} / on (cluster) {_BUDGET})")],
                limit=high(warning=number("StorageExporterCostOverBudget", "times", of="ratio")),
                decimals=0,
                empty="no budget set",
                width=5,
            ),
            Stat(
                title="Series left out",
                says="Rows of resources that the budget defers. Good: 0; else panels and alerts that read them are blind.",
                unit="none",
                queries=[Query(f"sum({_left_out('budget')}) or 0 * sum({_PLAN})")],
                limit=high(warning=1),
                width=5,
            ),
            Series(
                title="Dollars a month by service",
                says="What was really asked, brought to a month. Dashed: the budget. Good: the sum stays below it.",
                unit="currencyUSD",
                queries=[
                    Query(
                        _monthly("storage_exporter_aws_cost_dollars_total", "aws_service"), "{{aws_service}}", "area"
                    ),
                    Query(f"sum({_BUDGET})", "budget", "limit"),
                ],
                stacked=True,
                least=0,
                links=[runbook("StorageExporterCostOverBudget")],
            ),
            Table(
                title="Dollars a month by operation",
                says="What each kind of call comes to, as the last hour goes. GetMetricData is nearly all of it.",
                keys=[
                    Key(label="aws_service", name="Service", links=[to("exporter", title="Open the exporter")]),
                    Key(label="operation", name="Operation"),
                ],
                columns=[
                    Column(
                        name="Calls a month",
                        expr=_monthly("storage_exporter_aws_requests_total", "aws_service, operation"),
                        unit="short",
                        decimals=1,
                    ),
                    Column(
                        name="Dollars a month",
                        expr=_monthly("storage_exporter_aws_cost_dollars_total", "aws_service, operation"),
                        unit="currencyUSD",
                        decimals=2,
                    ),
                ],
                sort="-Dollars a month",
                width=12,
            ),
            Table(
                title="The plan: what is asked, what it would cost to ask all",
                says=(
                    "Dollars a month by service and tier, as the exporter plans them now and without a budget. Left out: series "
                    "that are asked less often or not at all."
                ),
                keys=[
                    Key(label="cluster"),
                    Key(label="account_id", name="Account"),
                    Key(label="region", name="Region"),
                    Key(label="aws_service", name="Service", links=[to("exporter", title="Open the exporter")]),
                    Key(label="tier", name="Tier"),
                ],
                columns=[
                    Column(name="Now", expr=_PLAN, unit="currencyUSD", decimals=2),
                    Column(name="All of it", expr=_FULL, unit="currencyUSD", decimals=2),
                    Column(name="Left out to save", expr=_left_out("budget"), decimals=0),
                    Column(name="Silent, asked less", expr=_left_out("silent"), decimals=0),
                ],
                sort="-Now",
                height=9,
                links=[runbook("StorageExporterRowsDeferred")],
            ),
        ],
    )
