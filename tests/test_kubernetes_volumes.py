"""Volume handles: every grammar by example, and for whatever else stands there never an error and never a wrong id."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kubernetes.volumes import (
    DRIVERS,
    EBS_DRIVER,
    EFS_DRIVER,
    S3_DRIVER,
    Unnamed,
    Volume,
    file_system,
    instance,
    served_by,
    volume_in_tree,
    volume_of,
)

AUTO = "ebs.csi.eks.amazonaws.com"
LONG = "vol-0123456789abcdef0"
SHORT = "vol-0123abcd"
HEX = "0123456789abcdef"


@pytest.mark.parametrize("driver", [EBS_DRIVER, AUTO])
@pytest.mark.parametrize("handle", [LONG, SHORT])
def test_ebs(driver: str, handle: str) -> None:
    """The EBS driver and that of EKS Auto Mode name the volume by its id, of 8 or 17 digits."""
    assert volume_of(driver, handle, {}) == Volume("ebs", volume_id=handle)


@pytest.mark.parametrize(
    "handle",
    [
        "",
        "vol-",
        "vol-0123abc",
        "vol-0123abcde",
        "vol-0123456789abcdef",
        "vol-0123456789abcdef01",
        "vol-0123ABCD",
        "vol-0123abcg",
        f"{SHORT}\n",
        f" {SHORT}",
        f"aws://ap-southeast-3a/{SHORT}",
        f"{SHORT}:partition",
        "vol-٠١٢٣٤٥٦٧",
        "fs-0123abcd",
        "snap-0123abcd",
    ],
)
def test_what_is_no_ebs_volume(handle: str) -> None:
    """Nothing is trimmed, completed or guessed."""
    assert volume_of(EBS_DRIVER, handle, {}) is Unnamed.MALFORMED_HANDLE


@pytest.mark.parametrize(
    ("text", "volume_id"),
    [
        (LONG, LONG),
        (SHORT, SHORT),
        (f"aws://ap-southeast-3a/{LONG}", LONG),
        (f"aws:///{SHORT}", SHORT),
        (f"aws://{LONG}", ""),
        (f"aws:/{LONG}", ""),
        (f"gce://a/{LONG}", ""),
        (f"aws://a/b/{LONG}", ""),
        (f"aws://a/{LONG}/", ""),
        (f"aws://a/{LONG}\n", ""),
        ("aws://a/vol-", ""),
        ("", ""),
    ],
)
def test_in_tree(text: str, volume_id: str) -> None:
    """Volumes from before CSI have the zone before the id, or nothing where it was, or only the id."""
    expected = Volume("ebs", volume_id=volume_id) if volume_id else Unnamed.MALFORMED_HANDLE
    assert volume_in_tree(text) == expected


@pytest.mark.parametrize(
    ("handle", "path", "point"),
    [
        ("fs-1", "", ""),
        ("fs-1:", "", ""),
        ("fs-1::", "", ""),
        ("fs-1:/path", "/path", ""),
        ("fs-1:/path:", "/path", ""),
        ("fs-1:relative/path", "relative/path", ""),
        ("fs-1:/größe/数据", "/größe/数据", ""),
        ("fs-1::fsap-2", "", "fsap-2"),
        ("fs-1:/path:fsap-2", "/path", "fsap-2"),
        ("fs-1::fsap-2:", "", "fsap-2"),
        ("fs-1:/path:fsap-2:s3files", "/path", "fsap-2"),
        ("fs-1:::x:y:z", "", ""),
    ],
)
def test_efs(handle: str, path: str, point: str) -> None:
    """File system, path below it, access point, and whatever fields later drivers add."""
    expected = Volume("efs", file_system_id="fs-1", path=path, access_point_id=point)
    assert volume_of(EFS_DRIVER, handle, {}) == expected


def test_efs_as_its_provisioner_writes_it() -> None:
    """Dynamic provisioning makes a file system and an access point, of 17 digits each."""
    named = volume_of(EFS_DRIVER, "fs-0123456789abcdef0::fsap-0fedcba9876543210", {})
    assert named == Volume("efs", file_system_id="fs-0123456789abcdef0", access_point_id="fsap-0fedcba9876543210")


@pytest.mark.parametrize(
    "handle",
    [
        "",
        ":",
        "::fsap-2",
        "fs-",
        "fs-xyz",
        "fsap-2",
        "FS-1",
        " fs-1",
        "fs-1 ",
        "fs-1\n",
        "fs-1::ap-2",
        "fs-1::fsap-",
        "fs-1::fsap-x",
        "fs-1::fsap-2 ",
        "fs-1:fsap-2:/path",
        "fs-1.efs.ap-southeast-3.amazonaws.com:/",
        "arn:aws:elasticfilesystem:ap-southeast-3:123456789012:file-system/fs-1",
        f"fs-{'0' * 41}",
        f"fs-1:/{'x' * 4096}",
    ],
)
def test_what_is_no_efs_volume(handle: str) -> None:
    """A bad access point spoils the handle: it must not pass for one without."""
    assert volume_of(EFS_DRIVER, handle, {}) is Unnamed.MALFORMED_HANDLE


def test_efs_as_old_manifests_write_it() -> None:
    """Path and access point beside the handle, where the driver still finds them; the handle's path goes before."""
    assert volume_of(EFS_DRIVER, "fs-1", {"path": "/a"}) == Volume("efs", file_system_id="fs-1", path="/a")
    assert volume_of(EFS_DRIVER, "fs-1:/b", {"Path": "/a"}) == Volume("efs", file_system_id="fs-1", path="/b")
    pointed = Volume("efs", file_system_id="fs-1", access_point_id="fsap-2")
    assert volume_of(EFS_DRIVER, "fs-1", {}, ["tls", "accesspoint=fsap-2"]) == pointed
    assert volume_of(EFS_DRIVER, "fs-1", {}, ["AccessPoint=fsap-2", "x=fsap-3"]) == pointed
    assert volume_of(EFS_DRIVER, "fs-1::fsap-2", {}, ["accesspoint=fsap-2"]) == pointed
    assert volume_of(EFS_DRIVER, "fs-1::fsap-2", {}, ["accesspoint=fsap-3"]) is Unnamed.TWO_ACCESS_POINTS
    assert volume_of(EFS_DRIVER, "fs-1", {}, ["accesspoint=x"]) is Unnamed.MALFORMED_HANDLE


@pytest.mark.parametrize(
    ("bucket", "good"),
    [
        ("officeless-mimir-production", True),
        ("a.b-c", True),
        ("Old_Bucket.of.us-east-1", True),
        ("x" * 255, True),
        ("data--apse3-az1--x-s3", True),
        ("", False),
        ("ab", False),
        ("x" * 256, False),
        ("bücket", False),
        ("a b", False),
        ("bucket\n", False),
        ("-bucket", False),
        ("arn:aws:s3:ap-southeast-3:123456789012:accesspoint/mine", False),
    ],
)
def test_s3(bucket: str, good: bool) -> None:
    """The bucket stands in the attributes; the handle is only for telling volumes apart."""
    expected = Volume("s3", bucket=bucket) if good else Unnamed.NO_BUCKET
    assert volume_of(S3_DRIVER, "any-unique-text", {"bucketName": bucket}) == expected
    assert volume_of(S3_DRIVER, bucket, {}) is Unnamed.NO_BUCKET


@pytest.mark.parametrize("driver", ["", "nfs.csi.k8s.io", "ebs.csi.aws.com ", "EBS.csi.aws.com", "fsx.csi.aws.com"])
def test_other_drivers(driver: str) -> None:
    """However much a foreign handle looks like one of ours."""
    assert volume_of(driver, LONG, {"bucketName": "bucket"}) is Unnamed.OTHER_DRIVER
    assert served_by(driver) == ""


def test_who_serves_a_provisioner() -> None:
    """Each driver itself; what was made before CSI is the EBS driver's now."""
    assert {driver: served_by(driver) for driver in DRIVERS} == {driver: driver for driver in DRIVERS}
    assert served_by("kubernetes.io/aws-ebs") == EBS_DRIVER


def test_instances_and_file_systems() -> None:
    """What drivers call a node is an instance only where it looks like one."""
    assert instance("i-0123456789abcdef0") == "i-0123456789abcdef0"
    assert [instance(text) for text in ("mi-0123456789abcdef0", "node-a1", "", "i-1", "i-0123abcd\n")] == [""] * 5
    assert file_system("fs-0123abcd") == "fs-0123abcd"
    assert [file_system(text) for text in ("fs-", "fs-1:/x", "", "${fs}")] == [""] * 4


# ---- whatever stands there

_text = st.text(max_size=40)
_near = st.builds(
    lambda text, at, more, cut: text[:at] + more + text[at + cut :],
    st.sampled_from([LONG, SHORT, f"aws://zone-a/{LONG}", "fs-1:/path:fsap-2", "fs-0123abcd::fsap-0123abcd", "bucket"]),
    st.integers(0, 30),
    st.text(alphabet=[*"volfsap-:/0aAg\n \t.", "０", "\u202e"], max_size=3),
    st.integers(0, 3),
)
_handles = _text | _near


def _digits(text: str, prefix: str) -> bool:
    rest = text.removeprefix(prefix)
    return text.startswith(prefix) and 0 < len(rest) <= 40 and set(rest) <= set(HEX)


def _holds(named: Volume | Unnamed, *texts: str) -> None:
    """What was named stands in one of the *texts*, is well formed, and is of the one service."""
    if isinstance(named, Unnamed):
        return
    ids = {
        "ebs": (named.volume_id,),
        "efs": (named.file_system_id, named.access_point_id, named.path),
        "s3": (named.bucket,),
    }
    for service, values in ids.items():
        for value in values:
            assert value == "" or (service == named.service and any(value in text for text in texts))
    match named.service:
        case "ebs":
            assert _digits(named.volume_id, "vol-")
            assert len(named.volume_id) in {12, 21}
        case "efs":
            assert _digits(named.file_system_id, "fs-")
            assert named.access_point_id == "" or _digits(named.access_point_id, "fsap-")
        case "s3":
            assert set(named.bucket) <= {*string.ascii_letters, *string.digits, *"._-"}


@given(
    st.sampled_from([*DRIVERS, ""]) | _text,
    _handles,
    st.dictionaries(st.sampled_from(["bucketName", "path", "PATH"]) | _text, _handles, max_size=3),
    st.lists(_handles | _handles.map(lambda text: f"accesspoint={text}"), max_size=3),
)
def test_never_a_wrong_id(driver: str, handle: str, attributes: dict[str, str], options: list[str]) -> None:
    """No text raises; an id that comes out stands in the text, letter for letter, and is one."""
    _holds(volume_of(driver, handle, attributes, options), handle, *attributes.values(), *options)


@given(_handles)
def test_never_a_wrong_id_in_tree(text: str) -> None:
    """The same for volumes from before CSI, and there the id is the end of the text."""
    named = volume_in_tree(text)
    _holds(named, text)
    assert isinstance(named, Unnamed) or text.endswith(named.volume_id)


_hex = st.text(alphabet=HEX, min_size=17, max_size=17) | st.text(alphabet=HEX, min_size=8, max_size=8)
_paths = st.text(alphabet=st.characters(exclude_characters=":", exclude_categories=["Cs"]), max_size=30)


@given(_hex, _hex, _paths, st.sampled_from(["", "ap-southeast-3a", "us-gov-west-1b"]))
def test_round_trip(one: str, two: str, path: str, zone: str) -> None:
    """Every handle that is made by the grammar comes back as what it was made of."""
    block = Volume("ebs", volume_id=f"vol-{one}")
    assert volume_of(EBS_DRIVER, f"vol-{one}", {}) == volume_of(AUTO, f"vol-{one}", {}) == block
    assert volume_in_tree(f"vol-{one}") == volume_in_tree(f"aws://{zone}/vol-{one}") == block
    pointed = Volume("efs", file_system_id=f"fs-{one}", access_point_id=f"fsap-{two}", path=path)
    assert volume_of(EFS_DRIVER, f"fs-{one}:{path}:fsap-{two}", {}) == pointed
    whole = Volume("efs", file_system_id=f"fs-{one}", path=path)
    assert volume_of(EFS_DRIVER, f"fs-{one}:{path}", {}) == whole
