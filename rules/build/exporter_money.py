"""What asking AWS costs, against the budget."""

from __future__ import annotations

from rules.build import words
from rules.build.identity import SERVICE, listed
from rules.build.model import Alert, Group, Record, Threshold

_S = listed(SERVICE)
_MONTH = 730 * 3600
_BUDGET = "max by (cluster) (storage_exporter_aws_budget_dollars_per_month)"

MONEY = Group(
    topic="money",
    rules=[
        Record(
            name="cluster:storage_exporter_cost:dollars_per_month_1h",
            expr=f"sum by (cluster) (rate(storage_exporter_aws_cost_dollars_total[1h])) * {_MONTH}",
        ),
        Record(
            name="cluster:storage_exporter_cost:dollars_per_month_1d",
            expr=f"sum by (cluster) (rate(storage_exporter_aws_cost_dollars_total[1d])) * {_MONTH}",
        ),
        Alert(
            name="StorageExporterCostBudgetBurnFast",
            severity="critical",
            component="exporter",
            expr=f"cluster:storage_exporter_cost:dollars_per_month_1h > on (cluster) $times * {_BUDGET}",
            thresholds={"times": Threshold(10, "ratio", "times the monthly budget that the last hour comes to")},
            wait="15m",
            keep="30m",
            summary="""
                Exporter of {{ $labels.cluster }}: the last hour comes to ${{ printf "%.0f" $value }} a month
            """,
            description="""
                That is more than ten times the budget: a bug, a much larger estate, or every interval set to a minute. First:
                `curl -H 'Accept: text/plain' http://EXPORTER:9116/-/plan` says what is asked and what it costs; stop the exporter if in doubt.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterCostOverBudget",
            severity="warning",
            component="exporter",
            expr=f"cluster:storage_exporter_cost:dollars_per_month_1d > on (cluster) $times * {_BUDGET}",
            thresholds={"times": Threshold(1.1, "ratio", "times the monthly budget that the last day comes to")},
            wait="1h",
            keep="6h",
            summary="""
                Exporter of {{ $labels.cluster }}: the last day comes to ${{ printf "%.0f" $value }} a month, over budget
            """,
            description="""
                What is essential alone costs more than the budget, or it was raised by pins. First: /-/plan of the exporter, then fewer pins,
                `covered: [ebs-nvme]` where the CSI driver's counters are scraped, or a larger budget.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
        Alert(
            name="StorageExporterRowsDeferred",
            severity="warning",
            component="exporter",
            expr=f'max by ({_S}, tier) (storage_exporter_deferred_rows{{reason="budget"}}) > 0',
            wait="1h",
            keep="1h",
            summary="{{ $labels.aws_service }} in {{ $labels.region }}: the budget leaves out {{ $value }} series ({{ $labels.tier }})",
            description="""
                Dashboards and alerts that read them are blind. First: `storage-exporter plan` prints what a larger budget, fewer pins or a
                dropped tier would change.
            """,
            dashboard=words.EXPORTER_DASHBOARD,
        ),
    ],
)
