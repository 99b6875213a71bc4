"""Where the Kubernetes API is and who we are to it: in a pod, by a url; tokens that rotate, proxies."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.connections import proxy_for
from exporter.demo.kubernetes import TOKEN, USER, KubernetesServer
from exporter.errors import ConfigError
from exporter.kubernetes.faults import UnauthorizedError, UnreachableError
from exporter.kubernetes.inside import in_cluster
from exporter.kubernetes.server import Server, TokenFile
from tests.kubernetes_side import (
    PATIENCE,
    SECRET,
    VOLUMES,
    Bearer,
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


# ---- in the cluster -------------------------------------------------------------------------------------------------


def pod(folder: Path, ca: Path, token: str = TOKEN) -> Path:
    """The directory of a service account, as the kubelet mounts it."""
    account = folder / "serviceaccount"
    account.mkdir()
    (account / "token").write_text(f"{token}\n")
    (account / "namespace").write_text("monitoring")
    (account / "ca.crt").write_bytes(ca.read_bytes())
    return account


def environment(url: str) -> dict[str, str]:
    host, _, port = url.removeprefix("https://").rpartition(":")
    return {"KUBERNETES_SERVICE_HOST": host.strip("[]"), "KUBERNETES_SERVICE_PORT": port}


async def test_a_pod_finds_its_cluster(tmp_path: Path, authority: Authority) -> None:
    """Address, token, authority and namespace of the service account are used, and the API answers."""
    async with KubernetesServer(ssl=served_by(authority)) as cluster:
        account = pod(tmp_path, authority.path)
        server = await looked_for(Where(), environment(cluster.url), directory=account)
        assert (server.url, server.namespace) == (cluster.url, "monitoring")
        assert await listed(server) == 0
        assert cluster.calls[-1].user == USER


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("10.100.0.1", "https://10.100.0.1:443"),
        ("fd00:10::1", "https://[fd00:10::1]:443"),
        ("::1", "https://[::1]:443"),
    ],
)
async def test_addresses_of_either_family_make_a_url(host: str, url: str, tmp_path: Path, authority: Authority) -> None:
    """An IPv6 address stands in brackets, as a url has it."""
    given = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}
    server = await looked_for(Where(), given, directory=pod(tmp_path, authority.path))
    assert server.url == url


async def test_a_cluster_of_ipv6_is_reached() -> None:
    """A url with a bracketed address is asked as any other."""

    async def empty(_: web.Request) -> web.Response:
        return web.json_response({"kind": "PersistentVolumeList", "metadata": {"resourceVersion": "7"}, "items": []})

    async with answering(empty, host="::1") as url:
        assert "[::1]" in url
        assert await listed(Where(url)) == 0


def test_in_a_cluster_is_what_a_kubelet_says() -> None:
    """Both variables make a cluster; one or none does not."""
    assert in_cluster({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"})
    assert not in_cluster({"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert not in_cluster({"KUBERNETES_SERVICE_HOST": "", "KUBERNETES_SERVICE_PORT": "443"})
    assert not in_cluster({})


@pytest.mark.parametrize(
    ("lacking", "says"),
    [("token", "automountServiceAccountToken"), ("ca.crt", "ca.crt")],
)
async def test_a_pod_without_its_account_is_told_so(
    lacking: str, says: str, tmp_path: Path, authority: Authority
) -> None:
    """What is not mounted is named, with what to look at."""
    account = pod(tmp_path, authority.path)
    (account / lacking).unlink()
    with pytest.raises(ConfigError, match=says):
        await looked_for(Where(), environment("https://10.0.0.1:443"), directory=account)


async def test_no_namespace_is_no_fault(tmp_path: Path, authority: Authority) -> None:
    """Only the Lease needs it."""
    account = pod(tmp_path, authority.path)
    (account / "namespace").unlink()
    server = await looked_for(Where(), environment("https://10.0.0.1:443"), directory=account)
    assert server.namespace is None


async def test_a_new_authority_is_trusted_without_a_restart(tmp_path: Path, authority: Authority) -> None:
    """When the cluster's authority is replaced, the file is read again, and the next request succeeds."""
    later = Authority(tmp_path, "later")
    account = pod(tmp_path, authority.path)
    async with KubernetesServer(ssl=served_by(later)) as cluster:
        server = await looked_for(Where(), environment(cluster.url), directory=account)
        async with client(server, clock=(clock := HurriedClock())) as api:
            with pytest.raises(UnreachableError, match="TLS"):
                await api.get(VOLUMES, timeout=PATIENCE)
            (account / "ca.crt").write_bytes(later.path.read_bytes())
            for _ in range(2):  # not for every failure
                with pytest.raises(UnreachableError, match="TLS"):
                    await api.get(VOLUMES, timeout=PATIENCE)
            clock.ahead += 61
            with pytest.raises(UnreachableError, match=r"kubernetes\.ca_file"):
                await api.get(VOLUMES, timeout=PATIENCE)
            assert (await api.get(VOLUMES, timeout=PATIENCE))["kind"] == "PersistentVolumeList"


# ---- tokens ---------------------------------------------------------------------------------------------------------


async def test_a_token_is_read_again_after_a_minute(tmp_path: Path) -> None:
    """Not for every request, but before the old one ends."""
    file, clock = tmp_path / "token", HurriedClock()
    file.write_text("one")
    token = TokenFile(file, clock.monotonic)
    file.write_text("two")
    assert await token.headers() == {"Authorization": "Bearer one"}
    clock.ahead = 61.0
    assert await token.headers() == {"Authorization": "Bearer two"}


async def test_a_refused_token_is_read_again_at_once(tmp_path: Path) -> None:
    """A token that was rotated away costs no failed request where a new one is in the file."""
    file = tmp_path / "token"
    file.write_text("old")
    async with KubernetesServer(tokens={"old": USER}) as cluster, client(Where(cluster.url, file)) as api:
        await api.get(VOLUMES, timeout=PATIENCE)
        cluster.tokens = {"new": USER}
        file.write_text("new")
        await api.get(VOLUMES, timeout=PATIENCE)
        assert [call.status for call in cluster.calls] == [200, 401, 200]


async def test_a_refused_token_that_is_the_newest_is_an_error(tmp_path: Path) -> None:
    """It is not tried again and again, and the error says what to look at; the token is nowhere in it."""
    file = tmp_path / "token"
    file.write_text(SECRET)
    async with KubernetesServer() as cluster, client(Where(cluster.url, file)) as api:
        with pytest.raises(UnauthorizedError, match="is the token of this cluster") as caught:
            await api.get(VOLUMES, timeout=PATIENCE)
        assert len(cluster.calls) == 1
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None


async def test_credentials_that_are_new_each_time_are_tried_twice_at_most() -> None:
    """A request is not repeated for as long as a plugin has something to offer."""

    class Inventive(Bearer):
        async def renew(self, used: object) -> bool:
            return True

    async with KubernetesServer() as cluster:
        async with client(Server(cluster.url, Inventive("unknown"), "the test")) as api:
            with pytest.raises(UnauthorizedError):
                await api.get(VOLUMES, timeout=PATIENCE)
        assert [call.status for call in cluster.calls] == [401, 401]


@pytest.mark.parametrize("content", [None, "", "  \n", "two\nlines", "no\x00token", "ключ"])
async def test_a_token_file_that_cannot_be_read_again_leaves_the_token_of_before(
    content: str | None, tmp_path: Path
) -> None:
    """Half-written and missing files pass; once they are logged, without what stands in them."""
    file, clock = tmp_path / "token", HurriedClock()
    file.write_text("good")
    token = TokenFile(file, clock.monotonic)
    file.unlink()
    if content is not None:
        file.write_text(content)
    with logged() as lines:
        for _ in range(3):
            clock.ahead += 61.0
            assert await token.headers() == {"Authorization": "Bearer good"}
    assert lines.getvalue().count("kubernetes_token_unread") == 1
    assert content is None or not content.strip() or content not in lines.getvalue()
    file.write_text("better")
    clock.ahead += 61.0
    assert await token.headers() == {"Authorization": "Bearer better"}


async def test_a_token_is_in_no_repr(tmp_path: Path) -> None:
    """Neither of the server nor of what it is made of."""
    file = tmp_path / "token"
    file.write_text(SECRET)
    server = await looked_for(Where("http://127.0.0.1:8001", file), {"http_proxy": "x"})
    assert SECRET not in f"{server!r} {server.credentials!r} {server.source}"


# ---- by url ---------------------------------------------------------------------------------------------------------


async def test_a_url_with_an_authority_of_its_own(tmp_path: Path, authority: Authority) -> None:
    """With its certificate named the API is trusted, without it is not, and the error says which key to set."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    async with KubernetesServer(ssl=served_by(authority)) as cluster:
        assert await listed(Where(cluster.url, file, authority.path)) == 0
        with pytest.raises(UnreachableError, match=r"TLS with 127\.0\.0\.1.*kubernetes\.ca_file"):
            await listed(Where(cluster.url, file))


async def test_certificates_as_eks_makes_them_are_taken(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lack what Python 3.13 asks for by its own default; a certificate for another name is refused as ever."""
    usual = ssl.create_default_context

    def strict(*args: Any, **options: Any) -> ssl.SSLContext:
        context = usual(*args, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    async with KubernetesServer(ssl=served_by(authority)) as cluster:
        trusted = {"certificate-authority": str(authority.path)}
        path = written(tmp_path, kubeconfig(cluster.url, {"token": TOKEN}, **trusted))
        (tmp_path / "token").write_text(TOKEN)
        assert await listed(Where(cluster.url, tmp_path / "token", authority.path)) == 0
        assert await listed(Where(kubeconfig=path)) == 0
        with pytest.raises(UnreachableError, match="TLS"):
            await listed(Where(cluster.url.replace("127.0.0.1", "localhost"), ca_file=authority.path))


async def test_a_url_below_a_path_is_kept() -> None:
    """An API that is served below a path is asked there."""
    paths: list[str] = []

    async def empty(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.json_response({"kind": "PersistentVolumeList", "metadata": {"resourceVersion": "7"}, "items": []})

    async with answering(empty) as url:
        assert await listed(Where(f"{url}/k8s/clusters/c-1/")) == 0
    assert paths == [f"/k8s/clusters/c-1{VOLUMES}"]


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (Where("ftp://127.0.0.1"), "kubernetes.url: ftp://127.0.0.1 is not the address"),
        (Where("https://"), "kubernetes.url: https:// is not the address"),
        (Where("https://host:port"), "is not the address"),
        (Where("https://host/?a=1"), "is not the address"),
        (Where("https://me:hush@host"), "must not hold a user name or password"),
        (Where("https://host", ca_file=Path("/nowhere/ca.pem")), "kubernetes.ca_file: .*/nowhere/ca.pem.*No such file"),
        (Where("http://host", ca_file=Path("/nowhere/ca.pem")), "kubernetes.ca_file: is of no use"),
        (Where("https://host", Path("/nowhere/token")), "kubernetes.token_file: .*/nowhere/token.*No such file"),
        (Where("https://host", kubeconfig="~/.kube/config"), "keep one way"),
        (Where("https://host", context="production"), "keep one way"),
        (Where(token_file=Path("/nowhere/token")), "kubernetes.token_file: needs kubernetes.url"),
        (Where(ca_file=Path("/nowhere/ca.pem")), "kubernetes.ca_file: needs kubernetes.url"),
        (Where(kubeconfig="/nowhere/config"), "there is no file /nowhere/config"),
        (Where(), "kubernetes: not in a cluster"),
    ],
)
async def test_what_leads_nowhere_is_refused(where: Where, says: str) -> None:
    """With the key that is wrong and what to do; a password is not repeated."""
    with pytest.raises(ConfigError, match=says) as caught:
        await looked_for(where)
    assert "hush" not in str(caught.value)


async def test_a_token_in_plain_text_is_warned_of(tmp_path: Path) -> None:
    """Where it leaves the machine; on loopback nobody listens."""
    file = tmp_path / "token"
    file.write_text(SECRET)
    with logged() as lines:
        await looked_for(Where("http://127.0.0.1:8001", file))
        assert not lines.getvalue()
        await looked_for(Where("http://kubernetes.example:8001", file))
    assert "plain text" in lines.getvalue()
    assert SECRET not in lines.getvalue()


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://api.example:6443", {}, None),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ("https://api.example:6443", {"https_proxy": "proxy:3128"}, "http://proxy:3128"),
        ("https://api.example:6443", {"HTTP_PROXY": "http://proxy:3128"}, None),
        ("http://api.example:6443", {"HTTP_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://proxy:3128"}, None),
        ("https://[::1]:6443", {"HTTPS_PROXY": "http://proxy:3128"}, None),
        ("https://localhost:6443", {"HTTPS_PROXY": "http://proxy:3128"}, None),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "other, example"}, None),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p", "no_proxy": ".example"}, None),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p", "no_proxy": "*"}, None),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "ample,"}, "http://p"),
        ("https://10.1.2.3:6443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://[fd00::7]:6443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8,fd00::/8"}, None),
        ("https://11.1.2.3:6443", {"HTTPS_PROXY": "http://p", "NO_PROXY": "10.0.0.0/8,fd00::/8"}, "http://p"),
    ],
)
def test_proxies_of_the_environment(url: str, environ: Mapping[str, str], proxy: str | None) -> None:
    """As kubectl takes them, less those for loopback."""
    assert proxy_for(url, environ) == proxy


async def test_a_pod_goes_through_no_proxy(tmp_path: Path, authority: Authority) -> None:
    """The API of one's own cluster is near."""
    environ = environment("https://10.0.0.1:443") | {"HTTPS_PROXY": "http://proxy:3128"}
    assert (await looked_for(Where(), environ, directory=pod(tmp_path, authority.path))).proxy is None
    assert (await looked_for(Where("https://10.0.0.1"), environ)).proxy == "http://proxy:3128"


async def test_a_pod_takes_its_cluster_before_a_kubeconfig_of_the_environment(
    tmp_path: Path, authority: Authority
) -> None:
    """A configured kubeconfig comes first, one that happens to be there last."""
    path = written(tmp_path, kubeconfig("http://127.0.0.1:1", {"token": "x"}))
    environ = environment("https://10.0.0.1:443") | {"KUBECONFIG": path}
    account = pod(tmp_path, authority.path)
    assert (await looked_for(Where(), environ, directory=account)).url == "https://10.0.0.1:443"
    assert (await looked_for(Where(kubeconfig=path), environ, directory=account)).url == "http://127.0.0.1:1"
    assert (await looked_for(Where(context="here"), environ, directory=account)).url == "http://127.0.0.1:1"
