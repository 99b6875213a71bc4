"""Two small dashboards without fault, for the checks' own tests: each breaks one thing of them."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

from dashboards.build.links import RUNBOOK, VOLUME_CONSOLE, to
from dashboards.build.page import Change, Page, Variable
from dashboards.build.panels import Bars, Column, Key, Logs, Query, Row, Series, Stat, State, Table, Text, Timeline
from dashboards.build.queries import most, where
from dashboards.build.thresholds import TIME_LEFT, high, low, number
from dashboards.build.writing import text
from tests.dashboards.checks import shipped
from tests.dashboards.linting import Boards
from tests.dashboards.reading import Document

_VOLUME = ("cluster", "account_id", "region", "volume_id")
_SAYS = "What is made up for a test. Good: it is like this."
_BALANCE = where("volume:aws_ebs_burst_balance:ratio", "volume_id")
_LEVEL = low(warning=number("AwsEbsBurstBalanceLow", "level", of="ratio"))
_AGE = where("service:storage_exporter_data_age:seconds")


_FIRING = 'count by (alertname) (ALERTS{cluster=~"$cluster"})'
_DETAIL = "/d/storage-exporter-detail?${__url_time_range}"


def _detail() -> Page:
    return Page(
        uid="detail",
        title="A detail",
        says=_SAYS,
        rows=(
            Row(
                title="Now",
                panels=(
                    Stat(
                        title="Least balance",
                        says=_SAYS,
                        unit="percentunit",
                        queries=(Query(f"min({_BALANCE})", "least"),),
                        limit=_LEVEL,
                    ),
                    Stat(
                        title="Whether it is well",
                        says=_SAYS,
                        unit="none",
                        queries=(Query(f"count({_AGE} > 0) or on () vector(0)", "old"),),
                        states=(State(0, "all well", "green"),),
                        width=20,
                    ),
                    Series(
                        title="Balances",
                        says=_SAYS,
                        unit="percentunit",
                        queries=(
                            Query(_BALANCE, "{{volume_id}}"),
                            Query(f"predict_linear({_BALANCE}[6h], 4 * 3600)", "{{volume_id}} in 4 h", "forecast"),
                        ),
                        limit=_LEVEL,
                    ),
                    Series(
                        title="Calls",
                        says=_SAYS,
                        unit="reqps",
                        queries=(
                            Query(
                                "sum by (aws_service) (rate("
                                f"{where('storage_exporter_aws_requests_total')}"
                                "[$__rate_interval]))",
                                "{{aws_service}}",
                            ),
                        ),
                    ),
                ),
            ),
            Row(
                title="Seldom",
                folded=True,
                panels=(
                    Timeline(
                        title="Age",
                        says=_SAYS,
                        unit="s",
                        queries=(Query(most(_AGE, "aws_service"), "{{aws_service}}"),),
                    ),
                    Logs(title="Lines", says=_SAYS, expr='{container="storage-exporter"} |= "error"'),
                ),
            ),
        ),
        variables=(
            Variable(
                name="volume_id",
                title="Volume",
                metric=where("volume:aws_ebs_owner:info"),
                many=False,
            ),
        ),
        changes=(
            Change(
                name="Changes",
                expr=most(where("volume:aws_ebs_burst_balance:ratio", "volume_id"), "volume_id"),
                title="{{volume_id}}",
            ),
        ),
    )


def _overview() -> Page:
    owner = where("volume:aws_ebs_owner:info")
    size = most(where("aws_ebs_volume_size_bytes"), *_VOLUME)
    balance = most(where("volume:aws_ebs_burst_balance:ratio"), *_VOLUME)
    return Page(
        uid="overview",
        title="An overview",
        says=_SAYS,
        rows=(
            Row(
                title="All",
                panels=(
                    Table(
                        title="Volumes",
                        says=_SAYS,
                        keys=(
                            Key(label="volume_id", name="Volume", links=(to("detail", "volume_id"), VOLUME_CONSOLE)),
                            *(Key(label=each) for each in _VOLUME[:3]),
                        ),
                        columns=(
                            Column(name="Size", unit="bytes",
                                   expr=f"{size} * on ({', '.join(_VOLUME)}) {most(owner, *_VOLUME)}"),
                            Column(name="Balance", expr=balance, unit="percentunit", limit=_LEVEL),
                        ),
                        sort="-Size",
                    ),
                    Table(
                        title="Alerts",
                        says=_SAYS,
                        keys=(Key(label="alertname", name="Alert", links=(RUNBOOK,)),),
                        columns=(
                            Column(name="How many", expr=_FIRING, unit="short", limit=high(critical=1)),
                        ),
                    ),
                    Bars(
                        title="Time left",
                        says=_SAYS,
                        unit="s",
                        queries=(Query(f"topk(3, {most(_AGE, 'aws_service')})", "{{aws_service}}"),),
                        limit=TIME_LEFT,
                    ),
                    Text(title="Words", says=_SAYS, markdown=f"See [the detail]({_DETAIL})."),
                ),
            ),
        ),
    )  # fmt: skip


def madeup() -> Boards:
    """Both, with the shipped rules, which lead nowhere."""
    documents: list[Document] = [json.loads(text(page)) for page in (_overview(), _detail())]
    rules, log_rules = copy.deepcopy((shipped().rules, shipped().log_rules))
    for rule in (*rules, *log_rules):
        rule.get("annotations", {}).pop("dashboard_url", None)
    return replace(shipped(), documents=documents, rules=rules, log_rules=log_rules)
