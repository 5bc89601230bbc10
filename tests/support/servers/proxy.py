"""A wire that breaks on purpose: a TCP proxy that cuts, stalls, resets, or answers by itself."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Generator

RESET = struct.pack("ii", 1, 0)
BLOCK = 1 << 16
COMMITTED = b"COMMIT\0"
GONE_WITHIN = 5.0  # seconds


class Proxy:
    """Passes on what comes to `port`, until told otherwise.

    `cuts`: how many bytes of answers still pass until a connection is reset, then how many until
    the next one is. `commits`: the same, of the next answers to COMMIT alone. `stall`: seconds
    before each piece of an answer. `answers`: what is sent instead, to one new connection each.
    `refuses`: whether new connections are reset at once. `answered` counts the bytes of answers.
    """

    def __init__(self, port: int) -> None:
        self._behind = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._lock = threading.Lock()
        self._ended = threading.Condition()
        self._open: set[socket.socket] = set()
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.answered = 0
        self.cuts: list[int] = []
        self.commits: list[int] = []
        self.stall = 0.0
        self.refuses = False
        self.answers: list[bytes] = []

    def run(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def close(self) -> None:
        # Closing alone would leave `accept` waiting.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset_all()

    def reset_all(self) -> None:
        """Resets all connections that are open now; they are gone when it returns.

        Closing alone ends none that a thread waits on: a client that asks again at once would
        find its connection alive, and see it break in its next request.
        """
        ends = set(self._open)
        for end in ends:
            reset(end)
        with self._ended:
            self._ended.wait_for(lambda: not ends & self._open, GONE_WITHIN)

    def _serve(self, client: socket.socket) -> None:
        if self.refuses:
            reset(client)
        elif self.answers:
            client.recv(BLOCK)
            with client:
                client.sendall(self.answers.pop(0))
                client.shutdown(socket.SHUT_WR)
                while client.recv(BLOCK):  # a body on its way: closing now would be a reset
                    pass
        else:
            self._join(client, socket.create_connection(self._behind))

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        ends = {client, server}
        with self._ended:
            self._open |= ends
        there = threading.Thread(target=self._pass, args=(client, server, False), daemon=True)
        there.start()
        self._pass(server, client, is_answer=True)
        there.join()
        for end in ends:
            end.close()
        with self._ended:
            self._open -= ends
            self._ended.notify_all()

    def _pass(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        """Passes bytes on until one of the two ends closes, or it has to be cut."""
        with contextlib.suppress(OSError):
            while block := source.recv(BLOCK):
                if is_answer and self.stall:
                    time.sleep(self.stall)
                passed = self._until_cut(block) if is_answer else len(block)
                target.sendall(block[:passed])
                if passed < len(block):
                    reset(target)
                    reset(source)
            target.shutdown(socket.SHUT_WR)

    def _until_cut(self, block: bytes) -> int:
        """How many of these bytes pass."""
        size = len(block)
        with self._lock:
            self.answered += size
            # The answer begins with its kind and its length, five bytes before its text.
            if self.commits and COMMITTED in block:
                return max(0, block.index(COMMITTED) - 5) + self.commits.pop(0)
            if not self.cuts:
                return size
            if size > self.cuts[0]:
                return self.cuts.pop(0)
            self.cuts[0] -= size
            return size


def reset(end: socket.socket) -> None:
    """Ends a connection as a crash would, also for whoever waits for bytes from it."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        end.shutdown(socket.SHUT_RD)
        end.close()


@contextlib.contextmanager
def proxy_before(port: int) -> Generator[Proxy]:
    """A proxy before that port of this machine."""
    proxy = Proxy(port)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
