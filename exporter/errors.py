"""
The errors of the exporter, as one tree.

Whether something is worth another attempt is a type, decided where the answer is read, never a search for words in
a message. A message names the thing, what was tried and the next step; it never holds a secret. Pure.

::

    ExporterError
     ├─ ConfigError             the configuration is wrong: every fault at once, exit code 2
     ├─ CredentialsError        no usable credentials, or AWS refused the ones we have
     ├─ OutboxError             finished requests cannot be kept on disk (`remote.outbox`)
     ├─ RulesError              rules cannot be handed on as asked (`ruler`)
     │   └─ RulerError          a ruler did not give or take what was asked
     ├─ KubernetesError         the Kubernetes API did not give what was asked (`kubernetes.faults`)
     ├─ ReceiverError           the receiver of remote write was not asked, or did not answer
     │   ├─ UnansweredError     no whole answer: timeout, connection, TLS
     │   └─ UnsentError         this replica may not send (any more): another one does
     └─ AwsError                an AWS API did not give what was asked
         ├─ FencedError         this replica may not ask AWS (any more): another one does
         ├─ DeniedError         the caller may not do this: asking again changes nothing
         ├─ RequestError        AWS calls the request wrong, or does not know the operation
         └─ TransientError      worth another attempt within the deadline
             ├─ ThrottledError  AWS asks for a slower pace
             └─ DeadlineError   the time for the call or the pass is used up
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ExporterError(Exception):
    """The root: anything the exporter itself calls a failure."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a configuration: where (a dotted path, ``""`` for the whole file) and what to do about it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(ExporterError):
    """
    A configuration that cannot be used; carries every fault found, in the order of the file.

    Args:
        source: the file's name as the user gave it, or a word such as ``"flags"``.

        faults: at least one.
    """

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        self.source = source
        self.faults = tuple(faults)
        super().__init__("\n".join(f"{source}: {fault}" for fault in self.faults))


class CredentialsError(ExporterError):
    """No provider gave credentials, or a role of the chain could not be assumed."""


class OutboxError(ExporterError):
    """Finished requests cannot be kept on disk. The message names the directory and the next step."""


class RulesError(ExporterError):
    """Rules cannot be written or handed on as asked. The message names them and the next step."""


class RulerError(RulesError):
    """
    A ruler refused a request, or did not answer.

    Args:
        message: names the ruler, what it said and the next step.

        refused: whether that is for what was sent, so that another request may go well.
    """

    def __init__(self, message: str, *, refused: bool = False) -> None:
        self.refused = refused
        super().__init__(message)


class AwsError(ExporterError):
    """
    One AWS call that did not give what was asked.

    Args:
        service: the API's name as botocore spells it, such as ``ec2``.

        operation: such as ``DescribeVolumes``.

        code: AWS's error code, or our own word where there was no answer (``Timeout``, ``Connection``, ``Malformed``).

        message: what AWS said, or what was seen.
    """

    def __init__(self, service: str, operation: str, code: str, message: str) -> None:
        self.service = service
        self.operation = operation
        self.code = code
        self.detail = message
        super().__init__(f"{service}:{operation}: {code}: {message}")


class FencedError(AwsError):
    """This replica is not the leader, or no longer: nothing was sent. The leader asks it."""


class DeniedError(AwsError):
    """The caller may not do this. Never repeated within a pass; the next step is `storage-exporter policy`."""


class RequestError(AwsError):
    """AWS rejects the request itself, or does not know the operation. Never repeated within a pass."""


class TransientError(AwsError):
    """A fault that may be gone at the next attempt: 5xx, a cut connection, a body that cannot be read."""


class ThrottledError(TransientError):
    """AWS asks for a slower pace: wait, with jitter, before the next attempt."""


class DeadlineError(TransientError):
    """The call or the pass used up its time."""


class ReceiverError(ExporterError):
    """
    The receiver of remote write was not asked, or did not answer. What it answers is never an exception.

    Args:
        code: one short word, for labels.

        message: what was seen and the next step.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class UnansweredError(ReceiverError):
    """No whole answer came: ``timeout``, ``connection``, ``name`` (of the host) or ``tls``."""


class UnsentError(ReceiverError):
    """This replica is not the leader, or no longer: nothing was sent."""
