"""The proxy that breaks lines: what each state of a line does to connections old and new."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.harness.proxy import HOST, Line, Proxy

SOON_S = 0.3
LATE_S = 0.5
PATIENCE_S = 10.0


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """One in front of a server that says everything back."""
    with socket.create_server((HOST, 0)) as listener, Proxy(listener.getsockname()[1]) as one:
        threading.Thread(target=echo_all, args=(listener,), daemon=True).start()
        yield one


def echo_all(listener: socket.socket) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=echo, args=(client,), daemon=True).start()


def echo(client: socket.socket) -> None:
    with client:
        try:
            while data := client.recv(1000):
                client.sendall(data)
        except OSError:
            return


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=PATIENCE_S)


def answer(client: socket.socket, said: bytes = b"hello") -> bytes:
    client.sendall(said)
    return client.recv(1000)


def is_gone(client: socket.socket) -> bool:
    try:
        return not answer(client)
    except ConnectionError:
        return True


def test_everything_passes(proxy: Proxy) -> None:
    with connected(proxy) as client:
        assert answer(client) == b"hello"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_a_cut_resets_old_connections_and_refuses_new_ones(proxy: Proxy) -> None:
    with connected(proxy) as old:
        assert answer(old) == b"hello"
        proxy.set(Line.CUT)
        assert is_gone(old)
    with connected(proxy) as new:
        assert is_gone(new)
    proxy.set(Line.PASS)
    with connected(proxy) as again:
        assert answer(again) == b"hello"


@pytest.mark.parametrize("line", [Line.STALL, Line.NO_ANSWERS])
def test_a_stalled_line_says_nothing_and_is_reset_at_its_end(proxy: Proxy, line: Line) -> None:
    with connected(proxy) as client:
        assert answer(client) == b"hello"
        proxy.set(line)
        client.settimeout(SOON_S)
        with pytest.raises(TimeoutError):
            answer(client)
        client.settimeout(PATIENCE_S)
        proxy.set(Line.PASS)
        assert is_gone(client)


def test_a_delayed_line_passes_everything_late(proxy: Proxy) -> None:
    proxy.set(Line.DELAY, LATE_S)
    with connected(proxy) as client:
        began = time.monotonic()
        assert answer(client) == b"hello"
        assert time.monotonic() - began >= LATE_S
