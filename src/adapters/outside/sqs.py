"""Receives from queues of SQS with boto3, at judged and pinned addresses, one deadline a call."""
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import re
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from attrs import Factory, evolve, field, frozen

from adapters.outside.s3_fetcher import RAISED, client_of, pin, translated
from adapters.outside.watch import Outside, Resolve, Watch, resolve
from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.base.network import Reach, server_of
from commerce_core.feeds.place import S3Place
from commerce_core.ports.fetcher import Access
from commerce_core.ports.messages import MOST_RECEIVED, Message

SECONDS: Final = 15.0
"""How long one call may take."""
HIDDEN_SECONDS: Final = 120
"""How long others don't see what was received."""
_REGION: Final = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com", re.ASCII)


@frozen
class SqsMessages:
    """Implements `commerce_core.ports.messages.Messages`."""

    _reach: Reach
    _resolve: Resolve = resolve
    _outside: Outside = field(
        default=Factory(lambda self: Outside(self._reach, self._resolve), takes_self=True),
        init=False,
    )

    def judge(self, place: S3Place) -> None:
        """Judges the queue's address."""
        pointer = "/queue_url"
        self._outside.judge(self._reach.target(place.queue_url or "", pointer), pointer)

    def receive(self, place: S3Place, access: Access) -> Sequence[Message]:
        """Asks for what is there at present."""
        with self._calling(place, access) as client:
            answer = client.receive_message(
                QueueUrl=place.queue_url, MaxNumberOfMessages=MOST_RECEIVED,
                VisibilityTimeout=HIDDEN_SECONDS, WaitTimeSeconds=0,
            )  # fmt: skip
        return [Message(each["Body"], each["ReceiptHandle"]) for each in answer.get("Messages", ())]

    def delete(self, place: S3Place, access: Access, messages: Sequence[Message]) -> None:
        """Deletes them in one call; what can't be deleted comes again."""
        if not messages:
            return
        entries = [
            {"Id": str(number), "ReceiptHandle": message.receipt}
            for number, message in enumerate(messages)
        ]
        with self._calling(place, access) as client:
            client.delete_message_batch(QueueUrl=place.queue_url, Entries=entries)

    @contextmanager
    def _calling(self, place: S3Place, access: Access) -> Generator[Any]:
        url = place.queue_url or ""
        try:
            self._reach.target(url, "/queue_url")
        except InvalidInput as error:
            raise Unreachable(error.faults[0].detail, code="address_refused") from error
        watch = Watch(SECONDS, RAISED)
        endpoint = server_of(url)
        found = _REGION.fullmatch(endpoint)
        within = evolve(place, region=found[1]) if found else place
        with ExitStack() as stack:
            client = client_of("sqs", within, access, endpoint)
            pin(client, self._outside, watch, stack)
            with translated(watch, "wait", endpoint, url):
                yield client
