"""
The command line: words in, words out. What the words mean is in the modules below.

Exit codes: 0 well, 1 something could not be read or done, 2 the configuration or the command is wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from exporter import __version__, billing, exposition, logs
from exporter.app import App, read_config
from exporter.clock import Clock, SystemClock
from exporter.config import Config, dump
from exporter.config_file import EVERY, ConfigFile
from exporter.errors import ConfigError, ExporterError
from exporter.model import Snapshot
from exporter.passes import failures_of
from exporter.report import Report
from exporter.services.registry import SERVICES
from exporter.settings import notices, pushes

if TYPE_CHECKING:
    from rich.console import Console

_CONFIG = click.option(
    "--config",
    "config_path",
    metavar="FILE",
    help="Configuration (YAML). Without it the defaults hold: every service, the credentials' own region.",
)


class _Commands(click.Group):
    """
    The commands. What only one of them needs is imported by it, for `run` starts often and needs none of that:
    terminals, tables, the alerting rules, the demo.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, sorted."""
        return sorted([*super().list_commands(ctx), "policy", "rules"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name."""
        if cmd_name == "rules":
            from exporter.ruling import rules  # noqa: PLC0415 - see above

            return rules
        if cmd_name == "policy":
            from exporter.granting import policy  # noqa: PLC0415 - see above

            return policy
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="storage-exporter")
def main() -> None:
    """
    The AWS storage tier under EKS as Prometheus metrics: EBS, EFS, S3 and ElastiCache, their use beside their limits,
    their keys and backups, at the smallest CloudWatch bill. Reads AWS, changes nothing.

    \b
    Try it without an account:   storage-exporter demo
    Against your account:        storage-exporter once      (one pass, printed)
                                 storage-exporter plan      (what that costs a month)
                                 storage-exporter run       (serves /metrics on :9116)
    What it may do there:        storage-exporter policy    (IAM policy)
    Alerts to Mimir and Loki:    storage-exporter rules     (check, diff, sync, render)

    Credentials, region and endpoints come from AWS's own variables and files (AWS_PROFILE, AWS_REGION, ...), from
    EKS Pod Identity or from IRSA.
    """  # noqa: D301 - click reads \b as: do not wrap


@main.command()
@_CONFIG
@click.option(
    "--watch-config",
    "every",
    metavar="SECONDS",
    default=EVERY,
    show_default=True,
    type=click.FloatRange(min=0),
    help="How often the configuration's file is looked at: what is new in it is put in force. 0: never.",
)
def run(config_path: str | None, every: float) -> None:
    """
    Serve /metrics until stopped. The configuration is read again when its file has changed, on SIGHUP and on POST
    /-/reload; one that is refused changes nothing.
    """
    file = ConfigFile(config_path, lambda: read_config(config_path, os.environ)) if config_path and every else None
    config = _read(config_path, file)
    logs.configure(config.log.format, config.log.level)
    with _refusals():
        asyncio.run(_app(config, config_path, SystemClock(), file, every).run())


@main.command()
@_CONFIG
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "prometheus", "json"]),
    help="Default: table on a terminal, prometheus elsewhere.",
)
@click.option("--verbose", is_flag=True, help="Log lines on stderr too.")
def once(config_path: str | None, form: str | None, verbose: bool) -> None:  # noqa: FBT001 - click's way
    """Make one pass of the newest points, print what was read, and name on stderr what could not be."""
    config = _read(config_path)
    logs.configure("logfmt", config.log.level if verbose else "error")
    with _refusals():
        snapshot, failures = asyncio.run(_once(config, SystemClock()))
    form = form or ("table" if sys.stdout.isatty() else "prometheus")
    if form == "json":
        from exporter import printing  # noqa: PLC0415 - see `_Commands`

        click.echo(json.dumps(printing.as_json(snapshot, failures), indent=1))
    elif form == "prometheus":
        click.echo(exposition.plain(snapshot), nl=False)
    else:
        _table(snapshot)
    _leave(failures)


async def _once(config: Config, clock: Clock) -> tuple[Snapshot, dict[str, dict[str, str]]]:
    """What one pass has read, and what it could not: operation → what to do about it, by job."""
    app = _app(config, None, clock)
    console = _console(stderr=True)
    with console.status("asking AWS ..."):

        def told(name: str, report: Report) -> None:
            if console.is_terminal:
                console.print(
                    f"[dim]{name}: {report.queries} queries, {report.billable} billed metrics, ${report.dollars:.5f}[/]"
                )

        feeds = await app.once(told, lambda verdict: click.echo(f"note: {verdict}", err=True))
    failures = failures_of(feeds) | ({"kubernetes": dict(app.troubles)} if app.troubles else {})
    return app.store.snapshot(clock.time()), failures


@main.command()
@_CONFIG
@click.option("--json", "as_json", is_flag=True, help="For programs: every metric and kind; its shape is versioned.")
def plan(config_path: str | None, as_json: bool) -> None:  # noqa: FBT001 - click's way
    """
    Print the CloudWatch bill before it is run up: what would be asked of what there is, and what a change would save.

    Discovers as `run` does (Describe calls, and the requests of S3, KMS and ListMetrics that cost next to nothing); no
    metric is asked for. Names on stderr what could not be read, and is therefore not in the bill.
    """
    config = _read(config_path)
    logs.configure("logfmt", "error")
    with _refusals():
        statement = asyncio.run(_plan(config, SystemClock()))
    if as_json:
        click.echo(json.dumps(billing.as_json(statement), indent=1))
    elif sys.stdout.isatty():
        show(statement)
    else:
        click.echo(billing.as_text(statement), nl=False)
    if statement.verdict:
        click.echo(f"note: {statement.verdict}", err=True)
    _leave(statement.failures)


async def _plan(config: Config, clock: Clock) -> billing.Statement:
    with _console(stderr=True).status("asking AWS what there is ..."):
        return await _app(config, None, clock).survey()


@main.command()
@_CONFIG
@click.option("--connect", is_flag=True, help="Also send the receiver of remote write a request that holds nothing.")
def check(config_path: str | None, connect: bool) -> None:  # noqa: FBT001 - click's way
    """Check the configuration, every mistake at once, and print the effective one (secrets hidden)."""
    config = _read(config_path)
    for notice in notices(config):
        click.echo(f"note: {notice}", err=True)
    click.echo(dump(config), nl=False)
    if connect:
        _connect(config)


def _connect(config: Config) -> None:
    """Say on stderr whether the receiver takes what is sent, and leave with 1 where it does not."""
    push = config.delivery.push
    if push is None or not pushes(config):
        click.echo("note: delivery.mode is scrape, so there is no receiver to connect to", err=True)
        return
    from exporter.pushing import USER_AGENT  # noqa: PLC0415 - see `_Commands`
    from exporter.remote.trial import try_receiver  # noqa: PLC0415

    wrong = asyncio.run(try_receiver(push, user_agent=USER_AGENT, clock=SystemClock()))
    if wrong is not None:
        click.echo(f"delivery.push: {wrong}", err=True)
        sys.exit(1)
    click.echo(f"note: {push.url} takes what is sent", err=True)


@main.command()
@click.option("--markdown", "form", flag_value="markdown", default=True, help="As a page (the default).")
@click.option("--json", "form", flag_value="json", help="For programs; its shape is versioned.")
def metrics(form: str) -> None:
    """List every metric: name, labels, source, unit, how it is folded and how often it is asked."""
    from exporter import printing  # noqa: PLC0415 - see `_Commands`

    services = list(SERVICES.values())
    if form == "json":
        click.echo(json.dumps(printing.catalogue(services), indent=1))
    else:
        click.echo(printing.markdown(services), nl=False)


class _Scenario(click.Choice[str]):
    """The demo's scenarios, looked up when somebody asks for one."""

    @property
    def choices(self) -> tuple[str, ...]:
        """Their names, sorted."""
        from exporter import demonstration  # noqa: PLC0415 - as in `demo`

        return tuple(sorted(demonstration.SCENARIOS))

    @choices.setter
    def choices(self, _: tuple[str, ...]) -> None:
        """What click sets at first."""


@main.command()
@click.option("--port", default=9116, show_default=True, type=click.IntRange(0, 65535), help="Of the exporter; 0: any.")
@click.option("--aws-port", default=0, type=click.IntRange(0, 65535), help="Of the simulated AWS.  [default: any free]")
@click.option("--seed", default=1, show_default=True, help="Makes ids, curves and noise.")
@click.option("--scenario", type=_Scenario([]), default="quiet", show_default=True, help="What goes wrong.")
@click.option(
    "--speed", default=1.0, show_default=True, type=click.FloatRange(min=0.1, max=60), help="World seconds a second."
)
@click.option("--push", is_flag=True, help="Push by remote write, to a simulated Mimir, in place of serving /metrics.")
@_CONFIG
def demo(
    port: int,
    aws_port: int,
    seed: int,
    scenario: str,
    speed: float,
    push: bool,  # noqa: FBT001 - click's way
    config_path: str | None,
) -> None:
    """
    Start a simulated AWS on this machine and the exporter against it: no account needed.

    The estate is that of a production EKS platform: gp3 volumes of databases and of Mimir, Loki and Tempo, some of
    other types, EFS file systems, S3 buckets, Valkey caches, keys and backups, in two regions and two accounts. It
    speaks AWS's own protocols and verifies signatures, so any AWS client can be pointed at it too.
    """
    from exporter import demonstration  # noqa: PLC0415 - see `_Commands`

    with _refusals():
        options = {"port": port, "aws_port": aws_port, "seed": seed}
        asyncio.run(demonstration.run(config_path, **options, scenario=scenario, speed=speed, push=push))


# ---- helpers ------------------------------------------------------------------------------------------------------


def _app(config: Config, path: str | None, clock: Clock, file: ConfigFile | None = None, every: float = EVERY) -> App:
    """The program; *file*, where one is to be watched, is that of *path*."""

    def read() -> Config:
        return read_config(path, os.environ)

    source = path or "defaults"
    again = read if file is None else file.read
    return App(config, read=again, source=source, environ=os.environ, clock=clock, file=file, every=every)


def _read(path: str | None, file: ConfigFile | None = None) -> Config:
    """The configuration, or every fault of it on stderr and exit code 2. *file*: that of *path*, to be watched."""
    with _refusals():
        return read_config(path, os.environ) if file is None else file.read()
    raise AssertionError("a refusal leaves the program")


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Say on stderr what keeps the program from working, and leave: 2 for a bad configuration, 1 for the rest."""
    try:
        yield
    except ConfigError as error:
        for fault in error.faults:
            click.echo(f"{error.source}: {fault}", err=True)
        sys.exit(2)
    except (ExporterError, OSError) as error:
        click.echo(f"storage-exporter: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _leave(failures: Mapping[str, Mapping[str, str]]) -> None:
    """Name on stderr what could not be read, and end with 1 where there is any."""
    for job, each in failures.items():
        for operation, text in each.items():
            click.echo(f"{job}: {operation}: {text}", err=True)
    sys.exit(1 if failures else 0)


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console  # noqa: PLC0415 - see `_Commands`

    return Console(stderr=stderr)


def show(statement: billing.Statement) -> None:
    """The tables of the bill, as wide as the terminal, and what they come to."""
    from rich.table import Table  # noqa: PLC0415 - see `_Commands`
    from rich.text import Text  # noqa: PLC0415

    console = _console()
    for each in billing.tables(statement):
        table = Table(
            title=each.title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim"
        )
        for number, heading in enumerate(each.headings):
            right = number >= each.numbers
            table.add_column(heading, justify="right" if right else "left", no_wrap=right)
        for row in each.rows:
            table.add_row(*map(Text, row), style="bold" if row[0] == "total" else "")
        console.print(table, "")
    for text in billing.sentences(statement):
        console.print(Text(text))


def _table(snapshot: Snapshot) -> None:
    """A table a family, as wide as the terminal."""
    from rich.table import Table  # noqa: PLC0415 - see `_Commands`
    from rich.text import Text  # noqa: PLC0415

    from exporter import printing  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("metric", no_wrap=True)
    table.add_column("of", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    last = ""
    for name, labels, value in printing.rows_of(snapshot):
        table.add_row("" if name == last else name, Text(labels), value)
        last = name
    _console().print(table)
