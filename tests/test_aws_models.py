"""botocore's descriptions of AWS's APIs: what our loader reads is what botocore's own does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

from exporter.aws.models import Models
from exporter.services.registry import SERVICES

APIS = sorted({operation.api for service in SERVICES.values() for operation in service.operations} | {"sts"})
KINDS = ("service-2", "paginators-1", "endpoint-rule-set-1")


@pytest.fixture(scope="module")
def theirs() -> Loader:
    """That of botocore."""
    return Loader()


@pytest.fixture(scope="module")
def ours() -> Models:
    return Models(None)


@pytest.mark.parametrize("api", [*APIS, "cloudwatch"])
def test_each_description_is_the_same(ours: Models, theirs: Loader, api: str) -> None:
    """The model, the pages and the endpoints of every API that is asked, with what botocore adds to them."""
    for kind in KINDS:
        assert ours.load_service_model(api, kind) == theirs.load_service_model(api, kind), kind


@pytest.mark.parametrize("name", ["endpoints", "partitions", "_retry", "sdk-default-configuration"])
def test_what_no_service_owns_is_the_same(ours: Models, theirs: Loader, name: str) -> None:
    """Files that all services share, found with their place."""
    assert ours.load_data_with_path(name) == theirs.load_data_with_path(name)


def test_every_service_is_known(ours: Models, theirs: Loader) -> None:
    """All that botocore knows, by name and newest version."""
    known = theirs.list_available_services("service-2")
    assert set(known) <= set(ours.list_available_services("service-2"))
    for api in known:
        assert ours.determine_latest_version(api, "service-2") == theirs.determine_latest_version(api, "service-2")


@pytest.mark.parametrize(("api", "kind"), [("nothing", "service-2"), ("efs", "waiters-2")])
def test_what_is_not_there_is_botocores_error(ours: Models, theirs: Loader, api: str, kind: str) -> None:
    """A service, or a kind of description that one has not: clients catch the same class."""
    for loader in (ours, theirs):
        with pytest.raises(DataNotFoundError):
            loader.load_service_model(api, kind)


def test_folders_of_the_users_own_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_DATA_PATH: several folders, with variables in them; a newer version there is the one that counts."""
    monkeypatch.setenv("MINE", str(tmp_path / "second"))
    written = {"first/mine/2020-01-01": {"is": "mine"}, "second/efs/2099-01-01": {"is": "newer"}}
    for place, text in written.items():
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "service-2.json").write_text(json.dumps(text))
    data_path = f"{tmp_path / 'first'}:${{MINE}}:{tmp_path / 'absent'}"
    models = Models(data_path)
    assert "mine" in models.list_available_services("service-2")
    assert models.load_service_model("mine", "service-2") == {"is": "mine"}
    assert models.load_service_model("efs", "service-2") == {"is": "newer"}
    assert models.load_service_model("sts", "service-2") == Loader().load_service_model("sts", "service-2")


def test_what_was_read_is_kept(ours: Models) -> None:
    """One model for all clients of a service: each is megabytes."""
    assert ours.load_service_model("efs", "service-2") is ours.load_service_model("efs", "service-2")
