"""The hook Jobs that bring rules to rulers, run as processes with exactly what the chart gives them."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from exporter.demo import RulerServer, run_ruler_in_thread
from exporter.ruler import pack
from tests.chart import containers
from tests.chart.api_server import ApiServer, Outcome, api_server
from tests.chart.releases import Release, light
from tests.chart.rendering import NAMESPACE, RELEASE, HelmError, Object, one, render

OURS, USER, PASSWORD, TOKEN = "storage-exporter", "rules", "pass-of-mimir", "token-of-loki"
THEIRS = {"name": "theirs", "interval": "1m", "rules": [{"record": "a:b:c", "expr": "vector(1)"}]}


@dataclass
class Scene:
    """A cluster with a release that syncs, and the rulers it syncs to."""

    server: ApiServer
    release: Release
    mimir: RulerServer
    loki: RulerServer
    done: list[CompletedProcess[str]] = field(default_factory=list)

    def values(self, **rules: Any) -> dict[str, Any]:
        """Of a release that brings both packs, with credentials from files."""
        files = "/etc/storage-exporter/secrets/rulers"
        basic = {"username": USER, "password_file": f"{files}/password"}
        mimir = {"url": self.mimir.url, "tenant": "platform", "auth": {"basic": basic}}
        loki = {"url": self.loki.url, "tenant": "platform", "auth": {"bearer_token_file": f"{files}/token"}}
        sync = {"mimir": {"delivery": "sync"}, "loki": {"delivery": "sync"}}
        return {
            "config": {"rules": {"mimir": mimir, "loki": loki}},
            "dashboards": {"enabled": False},
            "rules": {**sync, **rules},
            "secretFiles": ["rulers"],
        }

    def groups(self) -> tuple[set[str], set[str]]:
        """Names of the groups in our namespace of either ruler."""
        mimir, loki = (
            {group["name"] for group in ruler.groups("platform").get(OURS, [])} for ruler in (self.mimir, self.loki)
        )
        return mimir, loki

    def find(self, objects: Sequence[Object]) -> containers.Find:
        """Looks into *objects* for what they hold, and for Secrets into the cluster."""

        def find(kind: str, name: str) -> Object:
            if kind == "Secret":
                return self.server.objects.get(self.server.kind(kind), NAMESPACE, name)
            return one(objects, kind, name)

        return find

    def asked(self) -> int:
        """How often either ruler was asked to change something."""
        return len(self.mimir.changes()) + len(self.loki.changes())


@contextmanager
def scene(folder: Path, password: str = PASSWORD) -> Iterator[Scene]:
    """A cluster whose Jobs really run, with a Secret of this password."""
    numbers = itertools.count()

    def runs(item: Object) -> Outcome:
        place = folder / f"run-{next(numbers)}"
        done = containers.run(item["spec"]["template"], it.find(it.server.found()), place)
        it.done.append(done)
        return Outcome(done.returncode == 0, done.stdout + done.stderr)

    with (
        api_server(NAMESPACE, runs=runs) as server,
        run_ruler_in_thread("mimir", basic={USER: PASSWORD}) as mimir,
        run_ruler_in_thread("loki", bearer=[TOKEN]) as loki,
    ):
        data = {
            key: base64.b64encode(value.encode()).decode()
            for key, value in {"password": password, "token": TOKEN}.items()
        }
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "rulers"}, "data": data}
        server.objects.create(server.kind("Secret"), NAMESPACE, secret)
        it = Scene(server, Release(server, folder, light(folder)), mimir, loki)
        yield it


def wanted() -> tuple[set[str], set[str]]:
    """Names of the groups that come with the program."""
    shipped, _ = pack.read(pack.built_in())
    return {group.name for group in shipped.groups("mimir")}, {group.name for group in shipped.groups("loki")}


def test_rules_come_with_the_release_and_go_with_it(tmp_path: Path) -> None:
    """Install brings them, upgrade changes nothing where nothing changed, uninstall prunes ours and only ours."""
    with scene(tmp_path) as it:
        it.mimir.put("somebody", THEIRS, "platform")
        it.loki.put("somebody", THEIRS, "other-tenant")
        values = it.values(sync={"prune": True})
        it.release.install(values)
        assert it.groups() == wanted()
        assert [each["metadata"]["name"] for each in it.server.ran] == [f"{RELEASE}-rules-sync"]
        assert [each for each in it.server.found() if each["kind"] == "Job"] == []

        asked = it.asked()
        assert asked == sum(map(len, wanted()))
        it.release.upgrade(values)
        assert len(it.done) == 2
        assert it.asked() == asked

        it.release.helm("uninstall", RELEASE)
        assert [each["metadata"]["name"] for each in it.server.ran][2:] == [f"{RELEASE}-rules-prune"]
        assert it.groups() == (set(), set())
        assert list(it.mimir.groups("platform")) == ["somebody"]
        assert list(it.loki.groups("other-tenant")) == ["somebody"]
        assert [each["metadata"]["name"] for each in it.server.found(releases=True)] == ["rulers"]
        assert [done.returncode for done in it.done] == [0, 0, 0]


def test_a_wrong_password_is_said_and_not_shown(tmp_path: Path) -> None:
    """The Job ends with 1 and words, helm names it, what could be brought is, and no secret is printed."""
    wrong = "wrong-password-of-mimir"
    with scene(tmp_path, wrong) as it:
        with pytest.raises(HelmError, match=f"job {RELEASE}-rules-sync failed"):
            it.release.install(it.values())
        (done,) = it.done
        assert done.returncode == 1
        assert "401" in done.stderr
        assert "Traceback" not in done.stderr
        assert "mimir" in done.stderr.lower()
        said = done.stdout + done.stderr
        for secret in (wrong, TOKEN, base64.b64encode(f"{USER}:{wrong}".encode()).decode()):
            assert secret not in said
        assert it.groups() == (set(), wanted()[1])
        assert [each["metadata"]["name"] for each in it.server.found() if each["kind"] == "Job"] != []


def test_one_ruler_only(tmp_path: Path) -> None:
    """Where only one pack is synced, the Job leaves the other ruler alone though the configuration names it."""
    with scene(tmp_path) as it:
        objects = render(it.values(mimir={"delivery": "none"}))
        done = containers.run(one(objects, "Job")["spec"]["template"], it.find(objects), tmp_path / "once")
        assert done.returncode == 0, done.stderr
        assert it.groups() == (set(), wanted()[1])
        assert it.mimir.requests == []


def test_the_check_of_helm_test_runs_as_it_is_rendered(tmp_path: Path) -> None:
    """The pod of ``helm test`` accepts the configuration of its release, the credentials' files among it."""
    with scene(tmp_path) as it:
        objects = render(it.values())
        done = containers.run(one(objects, "Pod"), it.find(objects), tmp_path / "once")
        assert done.returncode == 0, done.stderr
