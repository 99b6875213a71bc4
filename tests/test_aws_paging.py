"""How an operation is paged, looked up from several threads at one time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from exporter.aws.clients import Botocore, Clients
from exporter.aws.session import Frozen, Keeper
from exporter.aws.transport import Transport
from exporter.clock import FixedClock


async def _no_credentials() -> Frozen:
    raise AssertionError("nothing is signed here")


def test_two_askings_of_one_operation_are_both_paged() -> None:
    """Whoever comes while another still looks it up waits, instead of reading the first page as if it were all."""
    shared = Botocore("test")
    keeper = Keeper(_no_credentials, name="none", clock=FixedClock(0), jitter=lambda: 0.0)
    clients = Clients(shared, "eu-west-1", keeper, Transport(None))
    clients.endpoint("elasticache")  # the client is there: what follows is the lookup alone
    began = threading.Semaphore(0)

    def look_up() -> bool:
        began.release()
        return clients.paging("elasticache", "DescribeEvents") is not None

    with ThreadPoolExecutor(2) as pool:
        with shared.lock:  # botocore's model is being read
            answers = []
            for _ in range(2):
                answers.append(pool.submit(look_up))
                began.acquire()
                time.sleep(0.2)
        assert [answer.result(5) for answer in answers] == [True, True]
    assert clients.paging("elasticache", "ListTagsForResource") is None
