"""
Witness of what remote write sends: protobuf's own classes, made at run time from the description of WriteRequest, and
another snappy than ours. Nothing of the exporter's encoder is used here.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from pysnappy.core import compress, uncompress  # type: ignore[import-untyped]

Labels = frozenset[tuple[str, str]]

_FIELD = descriptor_pb2.FieldDescriptorProto
_MESSAGES: dict[str, tuple[tuple[int, str, int, str], ...]] = {
    "WriteRequest": (
        (1, "timeseries", _FIELD.TYPE_MESSAGE, "TimeSeries"),
        (3, "metadata", _FIELD.TYPE_MESSAGE, "MetricMetadata"),
    ),
    "TimeSeries": ((1, "labels", _FIELD.TYPE_MESSAGE, "Label"), (2, "samples", _FIELD.TYPE_MESSAGE, "Sample")),
    "Label": ((1, "name", _FIELD.TYPE_STRING, ""), (2, "value", _FIELD.TYPE_STRING, "")),
    "Sample": ((1, "value", _FIELD.TYPE_DOUBLE, ""), (2, "timestamp", _FIELD.TYPE_INT64, "")),
    "MetricMetadata": (
        (1, "type", _FIELD.TYPE_ENUM, "MetricType"),
        (2, "metric_family_name", _FIELD.TYPE_STRING, ""),
        (4, "help", _FIELD.TYPE_STRING, ""),
        (5, "unit", _FIELD.TYPE_STRING, ""),
    ),
}
_TYPES = ("UNKNOWN", "COUNTER", "GAUGE", "HISTOGRAM", "GAUGEHISTOGRAM", "SUMMARY", "INFO", "STATESET")


@cache
def message(name: str = "WriteRequest") -> Any:
    """The class of a message of remote write 1.0."""
    file = descriptor_pb2.FileDescriptorProto(name="write_request.proto", package="prometheus", syntax="proto3")
    kinds = file.enum_type.add(name="MetricType")
    for number, metric_type in enumerate(_TYPES):
        kinds.value.add(name=metric_type, number=number)
    for title, fields in _MESSAGES.items():
        made = file.message_type.add(name=title)
        for number, field, kind, of in fields:
            many = kind == _FIELD.TYPE_MESSAGE
            label = _FIELD.LABEL_REPEATED if many else _FIELD.LABEL_OPTIONAL
            made.field.add(
                number=number, name=field, type=kind, label=label, type_name=f".prometheus.{of}" if of else None
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"prometheus.{name}"))


def decode(data: bytes) -> Any:
    """A body as a `WriteRequest`; protobuf's or snappy's error where it is none."""
    return message().FromString(uncompress(data))


def encode(request: Any) -> bytes:
    """A `WriteRequest` as a body."""
    made: bytes = compress(request.SerializeToString())
    return made


def samples_of(data: bytes) -> dict[Labels, list[tuple[int, float]]]:
    """
    Label sets, ``__name__`` among them, and their samples (milliseconds, value), of series that stand apart joined.

    Raises:
        AssertionError: where a label is there twice.
    """
    found: dict[Labels, list[tuple[int, float]]] = {}
    for series in decode(data).timeseries:
        labels = [(label.name, label.value) for label in series.labels]
        assert len({name for name, _ in labels}) == len(labels), labels
        points = ((sample.timestamp, sample.value) for sample in series.samples)
        found.setdefault(frozenset(labels), []).extend(points)
    return found


def bits(value: float) -> int:
    """A value's bits, by which NaNs are told apart."""
    number: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return number
