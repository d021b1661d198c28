"""A proxy in front of a server that delays, resets or truncates responses and reports requests."""

import asyncio
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.servers.node import find_free_port

REQUEST = re.compile(rb"((?:GET|HEAD|PUT|POST|DELETE) \S+) HTTP/1")
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
DELAY_S = 2.0
Mode = Literal["pass", "delay", "reset", "truncate", "trickle"]


@dataclass(frozen=True, slots=True)
class Guard:
    """Answers requests without this Authorization header with `refusal`, a complete HTTP response."""

    authorization: str
    refusal: bytes


@dataclass(frozen=True, slots=True)
class ProxiedConnection:
    """The connection of a client and the one to the server. requests: those sent on it, oldest first."""

    client_reader: asyncio.StreamReader
    client_writer: asyncio.StreamWriter
    server_reader: asyncio.StreamReader
    server_writer: asyncio.StreamWriter
    requests: list[str]


class Proxy:
    """Forwards to a port. `mode` may change while it runs.

    delay: responses come after 2 s; truncate: half of each response comes; trickle: each byte takes 20 ms;
    reset: the connection is reset. slow_marker: requests with these bytes are forwarded after 2 s. The
    connection is closed when the server is unreachable.

    on_request, on_response: called with "METHOD path"; if one returns False, the connection is closed.
    """

    def __init__(self, upstream_port: int) -> None:
        self.mode: Mode = "pass"
        self.slow_marker = b""
        self.guard: Guard | None = None
        self.on_request: Callable[[str], bool] | None = None
        self.on_response: Callable[[str], bool] | None = None
        self.port = find_free_port()
        self._upstream_port = upstream_port
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, ready: threading.Event) -> None:
        self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._cancel_tasks())
        self._loop.close()

    async def _cancel_tasks(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except OSError:
            client_writer.transport.abort()
            return
        connection = ProxiedConnection(client_reader, client_writer, server_reader, server_writer, [])
        requests = asyncio.create_task(self._pump_requests(connection))
        responses = asyncio.create_task(self._pump_responses(connection))
        await asyncio.wait((requests, responses), return_when=asyncio.FIRST_COMPLETED)
        for task in (requests, responses):
            task.cancel()
        for writer in (server_writer, client_writer):
            writer.close()

    async def _pump_requests(self, connection: ProxiedConnection) -> None:
        while data := await connection.client_reader.read(65536):
            if request := REQUEST.match(data):
                if self.guard is not None and self.guard.authorization.encode() not in data:
                    await _drain_request(connection.client_reader, data)
                    connection.client_writer.write(self.guard.refusal)
                    continue
                connection.requests.append(request[1].decode())
                if self.on_request is not None and not self.on_request(connection.requests[-1]):
                    return
            if self.slow_marker and self.slow_marker in data:
                await asyncio.sleep(DELAY_S)
            connection.server_writer.write(data)
            await connection.server_writer.drain()

    async def _pump_responses(self, connection: ProxiedConnection) -> None:
        while data := await connection.server_reader.read(65536):
            if (
                connection.requests
                and self.on_response is not None
                and not self.on_response(connection.requests.pop())
            ):
                return
            if self.mode == "reset":
                connection.client_writer.transport.abort()
                return
            await self._write_response(connection.client_writer, data)
            if self.mode == "truncate":
                return

    async def _write_response(self, client_writer: asyncio.StreamWriter, data: bytes) -> None:
        if self.mode == "delay":
            await asyncio.sleep(DELAY_S)
        pieces = [data[: len(data) // 2]] if self.mode == "truncate" else [data]
        for piece in [data[at : at + 1] for at in range(len(data))] if self.mode == "trickle" else pieces:
            client_writer.write(piece)
            await client_writer.drain()
            if self.mode == "trickle":
                await asyncio.sleep(0.02)


async def _drain_request(client_reader: asyncio.StreamReader, first_chunk: bytes) -> None:
    """Reads the rest of a request body: a connection closed with unread bytes would be reset."""
    head, _, body = first_chunk.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    await client_reader.readexactly(int(length[1]) - len(body) if length else 0)
