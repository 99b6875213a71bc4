"""The image's environment, as tools/image/environment.py makes it: what is in it, what is not, and that it works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from exporter.services.registry import SERVICES
from tests.image.building import environment
from tests.image.dockerfile import final
from tests.tools import ROOT
from tools.image import environment as recipe
from tools.image.environment import HOME, BuildError, Environment
from tools.image.locks import blocks

BASE = final().base.partition(":")[2].partition("-")[0]


@pytest.fixture(scope="module")
def built() -> Environment:
    return Environment(environment(BASE))


def python(built: Environment, code: str, *flags: str, **environ: str) -> str:
    """What its interpreter prints."""
    done = subprocess.run(
        [built.python, "-P", "-B", *flags, "-c", code], capture_output=True, text=True, env=environ, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def named(built: Environment, source: Path, tag: str) -> str:
    """The file that the bytecode beside a source names."""
    compiled = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
    return python(
        built, f"import marshal; print(marshal.loads(open({str(compiled)!r}, 'rb').read()[16:]).co_filename)"
    ).strip()


def test_it_is_the_lock_and_nothing_else(built: Environment) -> None:
    """Every package with the version of requirements.lock, the exporter itself, and no pip."""
    code = "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    found = {name.lower().replace("_", "-"): version for name, version in json.loads(python(built, code)).items()}
    locked = {
        name: text.partition("==")[2].split()[0]
        for name, text in blocks((ROOT / "requirements.lock").read_text()).items()
        if "sys_platform == 'win32'" not in text
    }
    assert found.pop("storage-exporter") == "0.1.0"
    assert found == locked
    assert {each.name for each in (built.prefix / "bin").iterdir()} >= {"python", "storage-exporter"}
    assert all(each.name.startswith(("python", "storage-")) for each in (built.prefix / "bin").iterdir())


def test_only_what_is_called_is_described(built: Environment) -> None:
    """Of botocore's four hundred services those of the exporter's operations, STS, and the files of all services."""
    data = built.site / "botocore" / "data"
    folders = {each.name for each in data.iterdir() if each.is_dir()}
    apis = {operation.api for service in SERVICES.values() for operation in service.operations}
    assert folders == {*apis, "cloudwatch", "sts", "sso"}
    shared = {"endpoints.json", "partitions.json", "sdk-default-configuration.json", "_retry.json"}
    assert {each.name for each in data.iterdir() if each.is_file()} == shared
    for folder in folders:
        (version,) = (data / folder).iterdir()
        assert {each.name.partition("-")[0] for each in version.iterdir()} <= {"service", "paginators", "endpoint"}


def test_everything_is_compiled_as_it_will_stand(built: Environment) -> None:
    """Each module has bytecode that is not compared with its source, and names the file where the image has it."""
    tag = python(built, "import sys; print(sys.implementation.cache_tag)").strip()
    sources = [each for each in built.site.rglob("*.py") if not each.name.startswith("_tmp")]
    assert len(sources) > 500
    for source in sources:
        compiled = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01, f"{compiled}: compared with its source"
    for module in ("exporter/logs.py", "aiohttp/web.py"):
        assert named(built, built.site / module, tag) == str(HOME / (built.site / module).relative_to(built.prefix))


def test_nothing_of_it_can_be_written_but_by_its_owner(built: Environment) -> None:
    """Everybody reads, the image's user writes nothing; no file has a bit that gives rights."""
    for each in built.prefix.rglob("*"):
        if not each.is_symlink():
            mode = each.stat().st_mode & 0o7777
            assert mode in ({0o755} if each.is_dir() else {0o644, 0o755}), f"{each}: {mode:o}"


def test_licences_stay_and_sources_of_compiled_modules_go(built: Environment) -> None:
    """What a licence asks for is there; stubs, C, Cython, examples and tests are not."""
    metadata = sorted(built.site.glob("*.dist-info"))
    assert len(metadata) > 30
    with_licence = {each.name for each in metadata if any("LICEN" in file.name.upper() for file in each.rglob("*"))}
    assert len(with_licence) >= len(metadata) - 2
    gone = {".pyi", ".pyx", ".pxd", ".c", ".h"}
    assert not [each for each in built.site.rglob("*") if each.suffix in gone]
    assert not [*built.site.glob("*/tests"), *built.site.glob("*/examples")]


def test_it_may_stand_anywhere(built: Environment, tmp_path: Path) -> None:
    """Moved, it works: no file of it names the place where it was made."""
    moved = tmp_path / "elsewhere"
    shutil.copytree(built.prefix, moved, symlinks=True, copy_function=os.link)
    done = subprocess.run([moved / "bin" / "storage-exporter", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == "storage-exporter, version 0.1.0\n"
    where = str(built.prefix).encode()
    named = [each for each in built.prefix.rglob("*") if each.is_file() and not each.is_symlink()]
    assert not [each for each in named if each.suffix != ".so" and where in each.read_bytes()]


def test_a_service_that_is_missing_ends_the_build(built: Environment, tmp_path: Path) -> None:
    """The look at the end sees a description that is gone, and says whose."""
    broken = Environment(tmp_path / "broken")
    shutil.copytree(built.prefix, broken.prefix, symlinks=True, copy_function=os.link)
    shutil.rmtree(broken.site / "botocore" / "data" / "efs")
    with pytest.raises(BuildError, match="no client of efs can be made"):
        broken.inside("check", "ec2", "efs")


def test_a_module_that_is_missing_ends_the_build(built: Environment, tmp_path: Path) -> None:
    """As does a dependency that the lock lacks."""
    broken = Environment(tmp_path / "broken")
    shutil.copytree(built.prefix, broken.prefix, symlinks=True, copy_function=os.link)
    shutil.rmtree(broken.site / "cramjam")
    with pytest.raises(BuildError, match=r"exporter\.\S+ cannot be imported: No module named 'cramjam'"):
        broken.inside("check")


def test_pythons_own_modules_are_compiled_too(built: Environment, tmp_path: Path) -> None:
    """What the exporter loads of them, beside where their sources are, so that no start compiles them."""
    files = recipe.standard(built, tmp_path)
    assert len(files) > 150
    assert any(file.endswith("/asyncio/base_events.py") for file in files)
    assert not [file for file in files if "site-packages" in file]
    compiled = [*tmp_path.rglob("*.pyc")]
    assert len(compiled) == len(files)
    assert all(int.from_bytes(file.read_bytes()[4:8], "little") == 0b01 for file in compiled)
    tag = compiled[0].name.split(".")[-2]
    assert named(built, tmp_path / files[0].lstrip("/"), tag) == files[0]
