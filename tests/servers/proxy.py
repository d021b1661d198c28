"""A proxy before a server that delays, resets or cuts short what it answers, and tells what it is asked."""

import asyncio
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.servers.node import free_port

REQUEST = re.compile(rb"((?:GET|HEAD|PUT|POST|DELETE) \S+) HTTP/1")
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
LATE_S = 2.0
Mode = Literal["pass", "delay", "reset", "truncate", "trickle"]


@dataclass(frozen=True, slots=True)
class Guard:
    """Requests without this Authorization header are answered with `refusal`, a whole answer of HTTP."""

    authorization: str
    refusal: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """One caller's connection and the one to the server. asked: what was asked on it, oldest first."""

    caller: asyncio.StreamReader
    answer: asyncio.StreamWriter
    server: asyncio.StreamReader
    question: asyncio.StreamWriter
    asked: list[str]


class Proxy:
    """`mode` may change while it runs. delay: answers come after 2 s; truncate: half of each answer comes;
    trickle: each byte takes 20 ms. slow: what these bytes are in goes on after 2 s. A caller is hung up on
    when the server cannot be reached.

    on_request, on_answer: told "METHOD path" of each request, and of each answer to one; what they say
    no to goes no further, and the line is closed.
    """

    def __init__(self, upstream_port: int) -> None:
        self.mode: Mode = "pass"
        self.slow = b""
        self.guard: Guard | None = None
        self.on_request: Callable[[str], bool] | None = None
        self.on_answer: Callable[[str], bool] | None = None
        self.port = free_port()
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
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        lines = asyncio.all_tasks() - {asyncio.current_task()}
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def _serve(self, caller: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        try:
            server, question = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        except OSError:
            answer.transport.abort()
            return
        line = Line(caller, answer, server, question, [])
        there = asyncio.create_task(self._pump_there(line))
        back = asyncio.create_task(self._pump_back(line))
        await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        for task in (there, back):
            task.cancel()
        for writer in (question, answer):
            writer.close()

    async def _pump_there(self, line: Line) -> None:
        while data := await line.caller.read(65536):
            if begins := REQUEST.match(data):
                if self.guard is not None and self.guard.authorization.encode() not in data:
                    await _read_to_its_end(line.caller, data)
                    line.answer.write(self.guard.refusal)
                    continue
                line.asked.append(begins[1].decode())
                if self.on_request is not None and not self.on_request(line.asked[-1]):
                    return
            if self.slow and self.slow in data:
                await asyncio.sleep(LATE_S)
            line.question.write(data)
            await line.question.drain()

    async def _pump_back(self, line: Line) -> None:
        while data := await line.server.read(65536):
            if line.asked and self.on_answer is not None and not self.on_answer(line.asked.pop()):
                return
            if self.mode == "reset":
                line.answer.transport.abort()
                return
            await self._answered(line.answer, data)
            if self.mode == "truncate":
                return

    async def _answered(self, answer: asyncio.StreamWriter, data: bytes) -> None:
        if self.mode == "delay":
            await asyncio.sleep(LATE_S)
        pieces = [data[: len(data) // 2]] if self.mode == "truncate" else [data]
        for piece in [data[at : at + 1] for at in range(len(data))] if self.mode == "trickle" else pieces:
            answer.write(piece)
            await answer.drain()
            if self.mode == "trickle":
                await asyncio.sleep(0.02)


async def _read_to_its_end(caller: asyncio.StreamReader, begun: bytes) -> None:
    """The rest of a request's body: a line with unread bytes in it would be reset."""
    head, _, body = begun.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    await caller.readexactly(int(length[1]) - len(body) if length else 0)
