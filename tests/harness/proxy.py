"""A TCP proxy whose line can be cut, stalled, delayed or made one-way while connections run through it."""

import asyncio
import socket
import threading
from concurrent.futures import Future
from enum import StrEnum
from typing import Final, NoReturn

CHUNK: Final = 64 << 10
POLL_S: Final = 0.02
HOST: Final = "127.0.0.1"


class Line(StrEnum):
    """What the line does: pass everything, refuse and reset, swallow in silence, pass late, or swallow one direction."""

    PASS = "pass"
    CUT = "cut"
    STALL = "stall"
    DELAY = "delay"
    NO_ANSWERS = "no_answers"


class Proxy:
    """Listens on a port of its own and leads to `target`. A context manager; safe to steer from any thread."""

    def __init__(self, target: int, port: int = 0) -> None:
        self.target = target
        self._listener = socket.create_server((HOST, port), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self.line = Line.PASS
        self.delay_s = 0.0
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)

    @property
    def address(self) -> str:
        """Where clients connect, as host:port."""
        return f"{HOST}:{self.port}"

    def __enter__(self) -> "Proxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._listener.close()

    def set(self, line: Line, delay_s: float = 0.0) -> None:
        """Change the line for new and old connections; what was swallowed by then is reset, since a stream cannot lack bytes."""
        broken = self.line in (Line.STALL, Line.NO_ANSWERS) or line is Line.CUT
        self.line, self.delay_s = line, delay_s
        if broken:
            done: Future[None] = asyncio.run_coroutine_threadsafe(self._reset(), self._loop)
            done.result(10)

    async def _reset(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._listener))
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for writer in list(self._open):
                writer.transport.abort()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.line is Line.CUT:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            upstream, up = await asyncio.open_connection(HOST, self.target)
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        self._open.add(up)
        try:
            await asyncio.gather(self._pump(reader, up, answers=False), self._pump(upstream, writer, answers=True))
        except OSError:
            pass  # an end that went away: the other one hears of it below
        finally:
            for end in (writer, up):
                end.transport.abort()
                self._open.discard(end)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await source.read(CHUNK):
            if self.line is Line.DELAY:
                await asyncio.sleep(self.delay_s)
            if self.line is Line.STALL or (self.line is Line.NO_ANSWERS and answers):
                await self._swallowed()
            sink.write(data)
            await sink.drain()
        sink.write_eof()

    async def _swallowed(self) -> NoReturn:
        while self.line in (Line.STALL, Line.NO_ANSWERS):
            await asyncio.sleep(POLL_S)
        raise ConnectionResetError
