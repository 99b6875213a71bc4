"""A kubeconfig as the way to the API: contexts, tokens, certificates, plugins, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.demo.kubernetes import TOKEN, USER, KubernetesServer
from exporter.errors import ConfigError
from exporter.kubernetes.faults import TimedOutError, UnauthorizedError, UnreachableError
from tests.kubernetes_side import (
    PATIENCE,
    SECRET,
    VOLUMES,
    HurriedClock,
    Where,
    answering,
    client,
    kubeconfig,
    listed,
    looked_for,
    served_by,
    written,
)
from tests.serving import Authority, logged


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def oidc(settings: object) -> dict[str, Any]:
    return {"auth-provider": {"name": "oidc", "config": settings}}


def plugin(folder: Path, status: Mapping[str, Any], *, exits: int = 0, waits: float = 0.0) -> dict[str, Any]:
    """A user whose credentials come from a program, which counts its runs in ``runs``."""
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    (folder / "status.json").write_text(json.dumps(answer))
    program = folder / "plugin"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\nhere = pathlib.Path(__file__).parent\n"
        f"with (here / 'runs').open('a') as runs: runs.write('x')\n"
        f"import time; time.sleep({waits})\n"
        f"print((here / 'status.json').read_text())\nsys.stderr.write('no session')\nsys.exit({exits})\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(program),
            "interactiveMode": "Never",
        }
    }


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text())


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which the package kubernetes is not installed."""
    for name in [name for name in sys.modules if name.split(".")[0] == "kubernetes"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kubernetes", None)


async def test_a_kubeconfig_with_a_token(tmp_path: Path, authority: Authority) -> None:
    """Server, authority, token and namespace are those of the context."""
    async with KubernetesServer(ssl=served_by(authority)) as cluster:
        pem = base64.b64encode(authority.path.read_bytes()).decode()
        path = written(tmp_path, kubeconfig(cluster.url, {"token": TOKEN}, **{"certificate-authority-data": pem}))
        server = await looked_for(Where(kubeconfig=path))
        assert (server.url, server.namespace) == (cluster.url, "billing")
        assert path in server.source
        assert await listed(server) == 0
        assert TOKEN not in f"{server!r} {server.credentials!r}"


async def test_the_simulated_clusters_own_kubeconfig(tmp_path: Path) -> None:
    """The one it hands out is one we can read."""
    async with KubernetesServer() as cluster:
        assert await listed(Where(kubeconfig=written(tmp_path, cluster.kubeconfig()))) == 0


async def test_the_variable_and_the_usual_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBECONFIG may list files, of which some are missing; without it the usual file is taken."""
    async with KubernetesServer() as cluster:
        path = written(tmp_path, cluster.kubeconfig())
        (tmp_path / ".kube").mkdir()
        written(tmp_path / ".kube", cluster.kubeconfig())
        server = await looked_for(Where(), {"KUBECONFIG": f"/nowhere/config{os.pathsep}{path}"})
        assert server.url == cluster.url
        monkeypatch.setenv("HOME", str(tmp_path))
        assert (await looked_for(Where())).url == cluster.url


async def test_contexts_are_chosen_over_all_files(tmp_path: Path) -> None:
    """The named context is found in whichever file; without a name the first file that has a current one wins."""
    first, second = kubeconfig("http://127.0.0.1:1", {"token": "x"}), kubeconfig("http://127.0.0.1:2", {"token": "y"})
    for kind in ("contexts", "clusters", "users"):
        second[kind][0]["name"] = f"other-{second[kind][0]['name']}"
    second["contexts"][0]["context"] |= {"cluster": "other-c", "user": "other-u"}
    second["current-context"] = "other-here"
    files = os.pathsep.join((written(tmp_path, first, "one"), written(tmp_path, second, "two")))
    assert (await looked_for(Where(kubeconfig=files))).url == "http://127.0.0.1:1"
    assert (await looked_for(Where(kubeconfig=files, context="other-here"))).url == "http://127.0.0.1:2"
    with pytest.raises(ConfigError, match=r"kubernetes\.context: .*no context third; there are: here, other-here"):
        await looked_for(Where(kubeconfig=files, context="third"))


async def test_client_certificates_say_who_we_are(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server, which takes only known clients, takes us; the keys are not left lying about."""
    authority.issue("me")
    data = {
        f"client-{kind}-data": base64.b64encode((tmp_path / f"me.{end}").read_bytes()).decode()
        for kind, end in (("certificate", "crt"), ("key", "key"))
    }
    tls = served_by(authority, client_ca=authority.path)
    async with KubernetesServer(ssl=tls, anonymous="certified") as cluster:
        trusted = {"certificate-authority": str(authority.path)}
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        server = await looked_for(Where(kubeconfig=written(tmp_path, kubeconfig(cluster.url, data, **trusted))))
        assert await listed(server) == 0
        assert names(temporary) == []
        nobody = await looked_for(Where(kubeconfig=written(tmp_path, kubeconfig(cluster.url, {}, **trusted))))
        with pytest.raises(UnreachableError):
            await listed(nobody)


async def test_verification_can_be_switched_off(tmp_path: Path, authority: Authority) -> None:
    """As kubectl does by the same key."""
    async with KubernetesServer(ssl=served_by(authority)) as cluster:
        unsafe = kubeconfig(cluster.url, {"token": TOKEN}, **{"insecure-skip-tls-verify": True})
        assert await listed(Where(kubeconfig=written(tmp_path, unsafe))) == 0


async def test_the_name_in_the_certificate_may_be_another(tmp_path: Path, authority: Authority) -> None:
    """``tls-server-name`` is what the certificate has to hold."""
    async with KubernetesServer(ssl=served_by(authority)) as cluster:
        other = {"certificate-authority": str(authority.path), "tls-server-name": "other.example"}
        with pytest.raises(UnreachableError, match="TLS"):
            await listed(Where(kubeconfig=written(tmp_path, kubeconfig(cluster.url, {"token": TOKEN}, **other))))
        by_name = cluster.url.replace("127.0.0.1", "localhost")
        same = other | {"tls-server-name": "127.0.0.1"}
        assert await listed(Where(kubeconfig=written(tmp_path, kubeconfig(by_name, {"token": TOKEN}, **same)))) == 0


async def test_a_plugins_token_is_used_and_renewed_when_refused(tmp_path: Path) -> None:
    """The program runs once, and again when the API no longer knows its token."""
    async with KubernetesServer(tokens={"first": USER}) as cluster:
        path = written(tmp_path, kubeconfig(cluster.url, plugin(tmp_path, {"token": "first"})))
        async with client(Where(kubeconfig=path)) as api:
            for _ in range(3):
                await api.get(VOLUMES, timeout=PATIENCE)
            assert runs(tmp_path) == 1
            cluster.tokens = {"second": USER}
            plugin(tmp_path, {"token": "second"})
            results = await asyncio.gather(*(api.get(VOLUMES, timeout=PATIENCE) for _ in range(5)))
            assert {result["kind"] for result in results} == {"PersistentVolumeList"}
            assert runs(tmp_path) == 2


async def test_whoever_was_refused_with_what_is_replaced_by_now_need_not_run_the_plugin(tmp_path: Path) -> None:
    """A request that took long may come back when another has renewed the token."""
    path = written(tmp_path, kubeconfig("http://127.0.0.1:1", plugin(tmp_path, {"token": "first"})))
    server = await looked_for(Where(kubeconfig=path))
    plugin(tmp_path, {"token": "second"})
    refused = {"Authorization": "Bearer first"}
    assert await server.credentials.renew(refused)
    assert await server.credentials.renew(refused)
    assert await server.credentials.headers() == {"Authorization": "Bearer second"}
    assert runs(tmp_path) == 2


async def test_a_slow_plugin_runs_once_though_nobody_waits_to_its_end(tmp_path: Path) -> None:
    """A request whose time is over leaves it running, and the next one has what it says."""
    async with KubernetesServer(tokens={"first": USER}) as cluster:
        path = written(tmp_path, kubeconfig(cluster.url, plugin(tmp_path, {"token": "first"})))
        async with client(Where(kubeconfig=path)) as api:
            cluster.tokens = {"second": USER}
            plugin(tmp_path, {"token": "second"}, waits=1.0)
            for _ in range(2):
                with pytest.raises(TimedOutError):
                    await api.get(VOLUMES, timeout=0.2)
            assert (await api.get(VOLUMES, timeout=PATIENCE))["kind"] == "PersistentVolumeList"
            assert runs(tmp_path) == 2


async def test_the_environments_proxy_follows_one_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the package's: NO_PROXY is heeded."""
    path = written(tmp_path, kubeconfig("http://api.example:8001", {"token": "x"}))
    environ = {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": ".example"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert (await looked_for(Where(kubeconfig=path), environ)).proxy is None
    assert (await looked_for(Where(kubeconfig=path), environ | {"NO_PROXY": ""})).proxy == "http://proxy:3128"


async def test_a_plugins_token_is_renewed_before_it_ends(tmp_path: Path) -> None:
    """Within five minutes of its expiry the program runs again, but is looked at once a minute only."""
    clock = HurriedClock()
    user = plugin(tmp_path, {"token": "first", "expirationTimestamp": "2020-01-01T00:00:00Z"})
    server = await looked_for(Where(kubeconfig=written(tmp_path, kubeconfig("http://127.0.0.1:1", user))), clock=clock)
    began = runs(tmp_path)
    plugin(tmp_path, {"token": "second", "expirationTimestamp": "2099-01-01T00:00:00Z"})
    first = await server.credentials.headers()
    assert runs(tmp_path) == began
    clock.ahead += 61.0
    assert await server.credentials.headers() == {"Authorization": "Bearer second"} != first


async def test_a_plugin_that_fails_later_leaves_the_token_of_before(tmp_path: Path) -> None:
    """It is not run again and again, what it said is logged, and the request fails as refused."""
    async with KubernetesServer(tokens={"first": USER}) as cluster:
        path = written(tmp_path, kubeconfig(cluster.url, plugin(tmp_path, {"token": "first"})))
        async with client(Where(kubeconfig=path)) as api:
            cluster.tokens = {}
            plugin(tmp_path, {"token": "second"}, exits=1)
            with logged() as lines:
                for _ in range(3):
                    with pytest.raises(UnauthorizedError):
                        await api.get(VOLUMES, timeout=PATIENCE)
            assert runs(tmp_path) == 2
            assert "kubernetes_credentials_unrenewed" in lines.getvalue()
            assert "no session" in lines.getvalue()
            cluster.tokens = {"first": USER}
            assert (await api.get(VOLUMES, timeout=PATIENCE))["kind"] == "PersistentVolumeList"


async def test_a_plugins_certificate_is_renewed_when_refused(tmp_path: Path, authority: Authority) -> None:
    """A plugin may give a certificate; when the API refuses it, the next connection shows the next one."""
    later = Authority(tmp_path, "later")

    def status(name: str) -> dict[str, str]:
        return {
            "clientCertificateData": (tmp_path / f"{name}.crt").read_text(),
            "clientKeyData": (tmp_path / f"{name}.key").read_text(),
        }

    authority.issue("me")
    later.issue("me-again")
    tls = served_by(authority, client_ca=authority.path)
    tls.load_verify_locations(later.path)
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        transport = request.transport
        assert transport is not None
        subject = transport.get_extra_info("peercert")["subject"][0][0][1]
        seen.append(subject)
        if subject == "me" and len(seen) > 1:
            return web.json_response({"kind": "Status", "code": 401}, status=401)
        return web.json_response({"kind": "PersistentVolume"})

    async with answering(answer, tls=tls) as url:
        trusted = {"certificate-authority": str(authority.path)}
        path = written(tmp_path, kubeconfig(url, plugin(tmp_path, status("me")), **trusted))
        async with client(Where(kubeconfig=path)) as api:
            await api.get(f"{VOLUMES}/a", timeout=PATIENCE)
            plugin(tmp_path, status("me-again"))
            await api.get(f"{VOLUMES}/a", timeout=PATIENCE)
    assert seen == ["me", "me", "me-again"]


async def test_the_clusters_proxy_is_gone_through(tmp_path: Path) -> None:
    """``proxy-url`` is asked for the whole address; the server itself is not."""
    asked: list[str] = []

    async def proxy(request: web.Request) -> web.Response:
        asked.append(request.raw_path if request.raw_path.startswith("http") else str(request.url))
        return web.json_response({"kind": "PersistentVolumeList", "metadata": {"resourceVersion": "7"}, "items": []})

    async with answering(proxy) as url:
        far = kubeconfig("http://127.0.0.1:1", {"token": TOKEN}, **{"proxy-url": url})
        assert await listed(Where(kubeconfig=written(tmp_path, far))) == 0
    assert asked[0].startswith(f"http://127.0.0.1:1{VOLUMES}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "has no current-context"),
        ("[1, 2]", "has no current-context"),
        ("a: 1\nb: }", "line 2 is no YAML"),
        ({"current-context": "gone"}, "no context gone"),
        ({"current-context": "here", "contexts": [{"name": "here"}]}, "Expected key context"),
        (
            {"current-context": "here", "contexts": [{"name": "here", "context": {"cluster": "c"}}]},
            "object with name c",
        ),
        (kubeconfig("", {"token": SECRET}), "the cluster of context here has no server"),
        (kubeconfig("http://127.0.0.1:1", {"token": SECRET, **oidc(7)}), "it is no kubeconfig"),
        (kubeconfig("http://127.0.0.1:1", {"token": SECRET, **oidc({})}), "Expected key id-token in [^{]*$"),
        (kubeconfig("http://127.0.0.1:1", {"token": SECRET}, **{"proxy-url": "socks5://p"}), "socks5"),
        (kubeconfig("https://h", {"token": SECRET}, **{"certificate-authority": "/nowhere"}), "File does not exist"),
        (kubeconfig("https://h", {"token": SECRET}, **{"certificate-authority-data": "bm8="}), "certificates"),
        (kubeconfig("http://127.0.0.1:1", {"exec": {"command": "/nowhere"}}), "plugin gave no credentials"),
    ],
)
async def test_a_kubeconfig_that_leads_nowhere_is_refused(
    content: Mapping[str, Any] | str, says: str, tmp_path: Path
) -> None:
    """With its name and what is wrong, and never with what stands in it."""
    path = written(tmp_path, content)
    with pytest.raises(ConfigError, match=says) as caught:
        await looked_for(Where(kubeconfig=path))
    assert path in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_plugin_that_fails_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    """Before anything is asked without credentials; its own words are in the log."""
    path = written(tmp_path, kubeconfig("http://127.0.0.1:1", plugin(tmp_path, {"token": "x"}, exits=3)))
    with logged() as lines, pytest.raises(ConfigError, match="kubectl get --raw /version"):
        await looked_for(Where(kubeconfig=path))
    assert "no session" in lines.getvalue()


async def test_without_the_package_a_kubeconfig_cannot_be_read(tmp_path: Path, no_package: None) -> None:
    """The error names the extra to install; a url needs no package."""
    path = written(tmp_path, kubeconfig("http://127.0.0.1:1", {"token": "x"}))
    with pytest.raises(ConfigError, match=r"pip install 'storage-exporter\[kubeconfig\]'"):
        await looked_for(Where(kubeconfig=path))
    assert (await looked_for(Where("http://127.0.0.1:1"))).url == "http://127.0.0.1:1"
