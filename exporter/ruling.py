"""
The command `rules`: words in, words out. What the rules are and how they travel is in `ruler`.

Exit codes: 0 well, 1 something is wrong or was refused, and 2 where `rules diff` finds differences. A configuration
that cannot be used is 1 here, too, so that 2 has one meaning.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import click

from exporter import __version__, logs
from exporter.clock import SystemClock
from exporter.config import Config, load
from exporter.config.rules import SEVERITIES
from exporter.errors import ConfigError, ExporterError, Fault, RulesError
from exporter.ruler import conventions, overrides, pack, plan, render, sync
from exporter.ruler.render import Form, Options, Target
from exporter.ruler.shapes import LANGUAGES, Language, Pack

USER_AGENT = f"storage-exporter/{__version__}"

_WORDS: Mapping[Language, str] = {"mimir": "PromQL", "loki": "LogQL"}

_CONFIG = click.option("--config", "config_path", metavar="FILE", help="Configuration (YAML) with a section `rules`.")
_FOLDER = click.option(
    "--pack",
    "folder",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Rules to take in place of those that come with the program.",
)
_ONLY = click.option("--only", type=click.Choice(LANGUAGES), help="Only this ruler.  [default: those configured]")
_JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")
_PATIENCE = click.option(
    "--timeout",
    "patience",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=1, max=3600),
    help="Seconds a ruler may leave a request unanswered.",
)


@click.group()
def rules() -> None:
    """
    The alerts and recordings that come with the exporter: check them, write them, bring them to Mimir and Loki.

    What is other than shipped (alerts left out, severities, durations, thresholds, labels) stands in the section
    `rules` of the configuration.

    \b
    storage-exporter rules check --config FILE                          (every mistake at once)
    storage-exporter rules diff --config FILE                           (what sync would do; 2 where anything)
    storage-exporter rules sync --config FILE                           (by the rulers' HTTP APIs)
    storage-exporter rules render --target mimir --format files -o DIR  (for everything else)
    """  # noqa: D301 - click reads \b as: do not wrap


@rules.command()
@_CONFIG
@_FOLDER
def check(config_path: str | None, folder: Path | None) -> None:
    """Check the rules and what the configuration makes of them, every mistake at once; count what there is."""
    with _refusals():
        _, wanted = _read(config_path, folder)
    for language in LANGUAGES:
        groups = wanted.groups(language)
        kinds = Counter(rule.kind for group in groups for rule in group.rules)
        found = Counter(rule.severity for group in groups for rule in group.rules if rule.kind == "alert")
        alerts = ", ".join(f"{found[severity]} {severity}" for severity in SEVERITIES if found[severity])
        files = sum(file.language == language for file in wanted.files)
        click.echo(
            f"{language}: {files} files, {len(groups)} groups, {kinds['record']} recordings, {kinds['alert']} alerts"
            + (f" ({alerts})" if alerts else "")
        )


class _Pairs(click.ParamType[tuple[str, str]]):
    """NAME=VALUE."""

    name = "k=v"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """The two; a value may be empty."""
        if isinstance(value, tuple):
            return str(value[0]), str(value[1])
        key, sign, text = str(value).partition("=")
        if not sign or not key:
            self.fail(f"{value!r} is not NAME=VALUE", param, ctx)
        return key, text


@rules.command("render")
@_CONFIG
@_FOLDER
@click.option(
    "--target", required=True, type=click.Choice(get_args(Target)), help="Who evaluates them; mimir is Cortex, too."
)
@click.option(
    "--format", "form", default="files", show_default=True, type=click.Choice(get_args(Form)), help="What is written."
)
@click.option(
    "--output",
    "-o",
    default="-",
    show_default=True,
    metavar="DIR|-",
    help="A folder, one file for each file of rules; -: standard output, as one text.",
)
@click.option(
    "--name", default="storage-exporter", show_default=True, help="What names of files and objects begin with."
)
@click.option("--namespace", default="", help="Namespace (Kubernetes) of the objects.  [default: none is written]")
@click.option("--label", "labels", multiple=True, type=_Pairs(), help="On every object, such as release=prometheus.")
@click.option("--annotation", "annotations", multiple=True, type=_Pairs(), help="On every object.")
@click.option(
    "--tenant-folder",
    default="",
    metavar="DIR",
    help="For ConfigMaps: where the sidecar of Loki's chart writes, /rules/<tenant> (fake without tenants).",
)
@click.option(
    "--logql-prometheusrule",
    is_flag=True,
    help="Write LogQL into PrometheusRule objects, for Alloy's loki.rules.kubernetes. The webhook of the Prometheus "
    "operator refuses them unless it leaves out the label storage-exporter.io/rules=logql.",
)
def write(
    config_path: str | None,
    folder: Path | None,
    target: Target,
    form: Form,
    output: str,
    name: str,
    namespace: str,
    labels: Sequence[tuple[str, str]],
    annotations: Sequence[tuple[str, str]],
    tenant_folder: str,
    logql_prometheusrule: bool,  # noqa: FBT001 - click's way
) -> None:
    """Write the rules, with the configuration's overrides, as files or as objects of Kubernetes."""
    if target == "loki" and form == "prometheusrule" and not logql_prometheusrule:
        raise click.UsageError(
            "LogQL in PrometheusRule objects is refused by the Prometheus operator and breaks Mimir's sync; "
            "write ConfigMaps (--format configmap), or insist by --logql-prometheusrule"
        )
    if tenant_folder and form != "configmap":
        raise click.UsageError("--tenant-folder is for ConfigMaps (--format configmap)")
    with _refusals():
        _, wanted = _read(config_path, folder)
        options = Options(name, namespace, dict(labels), dict(annotations), tenant_folder)
        if output == "-":
            click.echo(render.stream(wanted, target, form, options), nl=False)
            return
        made = render.rendered(wanted, target, form, options)
        into = Path(output)
        into.mkdir(parents=True, exist_ok=True)
        for file, text in made.items():
            (into / file).write_text(text, encoding="utf-8")
        begins = next(iter(made)).rpartition("-")[0]
        for old in sorted(each.name for each in into.glob(f"{begins}-*.yaml") if each.name not in made):
            click.echo(f"note: {into / old} is not among these; is it left from before?", err=True)
    click.echo(f"{into}: {len(made)} files written", err=True)


@rules.command()
@_CONFIG
@_FOLDER
@_ONLY
@_PATIENCE
@_JSON
def diff(config_path: str | None, folder: Path | None, only: Language | None, patience: float, as_json: bool) -> None:  # noqa: FBT001
    """Print what `rules sync` would do. Exit code 0: nothing; 2: something; 1: it could not be found out."""
    with _refusals():
        config, wanted = _read(config_path, folder)
        outcomes = asyncio.run(sync.compared(wanted, _places(config, only, wanted), _means(patience)))
    if as_json:
        _echo_json(outcomes)
    else:
        for outcome in outcomes:
            _show(outcome)
    _complain(outcomes)
    sys.exit(2 if any(outcome.plan is not None and outcome.plan.differs for outcome in outcomes) else 0)


@rules.command("sync")
@_CONFIG
@_FOLDER
@_ONLY
@_PATIENCE
@_JSON
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--prune", is_flag=True, help="Take all of our rules away: delete our namespace, for an uninstall.")
def bring(
    config_path: str | None,
    folder: Path | None,
    only: Language | None,
    patience: float,
    as_json: bool,  # noqa: FBT001 - click's way
    dry_run: bool,  # noqa: FBT001 - click's way
    prune: bool,  # noqa: FBT001 - click's way
) -> None:
    """
    Make the configured rulers have the rules: set the groups that differ, delete those that are no more.

    Touches only the namespace of the configuration (rules.namespace) and may be repeated. What is refused is named with
    the ruler's reason, the rest is set all the same, and the exit code is 1.
    """
    told: Callable[[sync.Outcome], None] = (lambda _: None) if as_json else _show
    means = _means(patience)
    with _refusals():
        if prune:
            config = load(config_path, os.environ)
            outcomes = asyncio.run(sync.pruned(_places(config, only, None), means, dry=dry_run, told=told))
        else:
            config, wanted = _read(config_path, folder)
            places = _places(config, only, wanted)
            if dry_run:
                outcomes = asyncio.run(sync.compared(wanted, places, means))
                for outcome in outcomes:
                    told(outcome)
            else:
                outcomes = asyncio.run(sync.synced(wanted, places, means, told))
    if as_json:
        _echo_json(outcomes)
    elif not dry_run:
        for outcome in outcomes:
            _sum_up(outcome)
    _complain(outcomes)


# ---- helpers ------------------------------------------------------------------------------------------------------


def _read(config_path: str | None, folder: Path | None) -> tuple[Config, Pack]:
    """
    The configuration, and the rules as it wants them.

    Raises:
        ConfigError: with every fault of both.
    """
    shipped, faults = pack.read(folder or pack.built_in())
    faults = faults or conventions.faults(shipped)
    try:
        config = load(config_path, os.environ, lambda data: overrides.wrong(shipped, data))
    except ConfigError as error:
        if not faults:
            raise
        ours = [Fault(f"{error.source}: {fault.path}".removesuffix(": "), fault.message) for fault in error.faults]
        raise ConfigError("rules", [*faults, *ours]) from None
    if faults:
        raise ConfigError("rules", faults)
    return config, overrides.applied(shipped, config.rules)


def _places(config: Config, only: Language | None, wanted: Pack | None) -> list[sync.Place]:
    """The rulers to go to. Says on stderr which rules go nowhere."""
    rulers = {"mimir": config.rules.mimir, "loki": config.rules.loki}
    if only is not None and rulers[only] is None:
        raise RulesError(f"rules.{only} is not configured; give its url")
    places = []
    for language in LANGUAGES:
        ruler = rulers[language]
        if ruler is not None and only in (None, language):
            places.append(sync.Place(language, ruler, config.rules.namespace))
        elif ruler is None and wanted is not None and (groups := wanted.groups(language)):
            alerts = sum(rule.kind == "alert" for group in groups for rule in group.rules)
            note = f"rules.{language} is not configured, so {alerts} {_WORDS[language]} alerts are not brought anywhere"
            click.echo(f"note: {note}", err=True)
    if not places:
        raise RulesError("neither rules.mimir nor rules.loki is configured; give the url of at least one of them")
    return places


def _means(patience: float) -> sync.Means:
    logs.configure("logfmt", "error")
    return sync.Means(USER_AGENT, patience, SystemClock(), random.random)


def _show(outcome: sync.Outcome) -> None:
    if outcome.plan is not None:
        click.echo("\n".join(plan.lines(outcome.plan)))


def _sum_up(outcome: sync.Outcome) -> None:
    if outcome.plan is None or not outcome.plan.differs:
        return
    deleted = sum(change.what == "delete" for change in outcome.done)
    left = sum(change.what != "unchanged" for change in outcome.plan.changes) - len(outcome.done)
    made = len(outcome.done) - deleted
    said = f"{made} group{'s' * (made != 1)} set, {deleted} deleted" + (f", {left} NOT done" if left else "")
    click.echo(f"{outcome.place.language}: {said}")


def _echo_json(outcomes: Sequence[sync.Outcome]) -> None:
    found = [
        {
            **(plan.as_json(outcome.plan) if outcome.plan is not None else {"target": outcome.place.language}),
            "done": [{"group": change.group, "change": change.what} for change in outcome.done],
            "problems": outcome.problems,
        }
        for outcome in outcomes
    ]
    click.echo(json.dumps({"version": 1, "targets": found}, indent=1))


def _complain(outcomes: Sequence[sync.Outcome]) -> None:
    """Say on stderr what went wrong, and leave with 1 where anything did."""
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    for problem in problems:
        click.echo(problem, err=True)
    if problems:
        sys.exit(1)


@contextmanager
def _refusals() -> Iterator[None]:
    """Say on stderr what keeps a command from its work, and leave with 1."""
    try:
        yield
    except ConfigError as error:
        for fault in error.faults:
            click.echo(f"{error.source}: {fault}", err=True)
        sys.exit(1)
    except (ExporterError, OSError) as error:
        click.echo(f"storage-exporter: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
