"""A proxy before a server that delays, resets or cuts short what the server answers."""

import asyncio
import threading
from typing import Literal

from tests.servers.node import free_port

Mode = Literal["pass", "delay", "reset", "truncate"]


class Proxy:
    """`mode` may change while it runs. delay: answers come after 2 s; truncate: half of each answer comes."""

    def __init__(self, upstream_port: int) -> None:
        self.mode: Mode = "pass"
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
        server, question = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        there = asyncio.create_task(self._pump(caller, question, back=False))
        back = asyncio.create_task(self._pump(server, answer, back=True))
        await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        for task in (there, back):
            task.cancel()
        for writer in (question, answer):
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, back: bool) -> None:
        while data := await source.read(65536):
            if back and self.mode == "delay":
                await asyncio.sleep(2)
            if back and self.mode == "reset":
                sink.transport.abort()
                return
            if back and self.mode == "truncate":
                sink.write(data[: len(data) // 2])
                await sink.drain()
                return
            sink.write(data)
            await sink.drain()
