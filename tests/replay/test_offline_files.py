"""Fetching from a server on this machine that can break off, forget ranges and change its mind."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from primacy.envs.antmaze_tasks import TASKS
from primacy.replay import offline_files
from primacy.replay.offline import DataFault
from primacy.replay.offline_files import FILES, File, cache_folder, d4rl_file, fetch

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT; `breaks` bytes after which it hangs up, one for each coming answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.breaks: list[int] = []
        self.ranges = True
        self.content = CONTENT
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data.hdf5"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        asked = self.headers.get("Range")
        server.asked.append(asked)
        content, start = server.content, 0
        if self.path != "/data.hdf5":
            self.send_error(404)
            return
        if asked and server.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = start + server.breaks.pop(0) if server.breaks else len(content)
        self.wfile.write(content[start:stop])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


def test_a_file_is_fetched_once(server: Server, tmp_path: Path):
    path = tmp_path / "deep" / "data.hdf5"
    file = File(server.url, len(CONTENT), SHA)
    said: list[str] = []
    for _ in range(2):
        assert fetch(file, path, said.append) == path
        assert path.read_bytes() == CONTENT
    assert server.asked == [None]
    assert len(said) == 1
    assert "3,000,000 bytes" in said[0]
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupted_one_goes_on_where_it_stopped(server: Server, tmp_path: Path):
    path, file = tmp_path / "data.hdf5", File(server.url, len(CONTENT), SHA)
    server.breaks = [1_200_000, 300_000]
    for have in (1_200_000, 1_500_000):
        with pytest.raises(DataFault, match=f"broke off after {have:,} of 3,000,000") as caught:
            fetch(file, path)
        assert "goes on" in caught.value.hint
        assert not path.exists()
    fetch(file, path)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1200000-", "bytes=1500000-"]


def test_a_server_without_ranges_begins_anew(server: Server, tmp_path: Path):
    path, file = tmp_path / "data.hdf5", File(server.url, len(CONTENT), SHA)
    server.breaks, server.ranges = [1_200_000], False
    with pytest.raises(DataFault, match="broke off"):
        fetch(file, path)
    fetch(file, path)
    assert path.read_bytes() == CONTENT


def test_a_whole_part_is_only_checked(server: Server, tmp_path: Path):
    path = tmp_path / "data.hdf5"
    path.with_name("data.hdf5.part").write_bytes(CONTENT)
    fetch(File(server.url, len(CONTENT), SHA), path)
    assert server.asked == []
    path.rename(path.with_name("data.hdf5.part"))
    fetch(File(server.url, None, None), path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("changed", [CONTENT[:-1] + b"?", CONTENT + b"?"])
def test_another_file_is_refused_and_not_kept(changed: bytes, server: Server, tmp_path: Path):
    path, file = tmp_path / "data.hdf5", File(server.url, len(CONTENT), SHA)
    server.content = changed
    with pytest.raises(DataFault, match="is not the published file") as caught:
        fetch(file, path)
    assert "try again" in caught.value.hint
    assert not list(tmp_path.iterdir())
    server.content = CONTENT
    assert fetch(file, path).read_bytes() == CONTENT


def test_without_a_published_checksum_the_one_found_is_said(server: Server, tmp_path: Path):
    said: list[str] = []
    server.breaks = [1_000_000]
    file = File(server.url, None, None)
    with pytest.raises(DataFault, match="broke off after 1,000,000 of 3,000,000"):
        fetch(file, tmp_path / "data.hdf5")
    fetch(file, tmp_path / "data.hdf5", said.append)
    assert SHA in said[-1]


def test_a_server_that_is_not_there_or_lacks_the_file(server: Server, tmp_path: Path):
    missing = File(server.url.replace("data", "gone"), None, None)
    with pytest.raises(DataFault, match="could not be fetched: HTTP Error 404") as caught:
        fetch(missing, tmp_path / "data.hdf5")
    assert str(tmp_path / "data.hdf5") in caught.value.hint
    nowhere = File("http://127.0.0.1:9/data.hdf5", None, None)
    with pytest.raises(DataFault, match="could not be fetched"):
        fetch(nowhere, tmp_path / "data.hdf5", timeout=5.0)


def test_each_task_has_its_file(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert set(FILES) == set(TASKS)
    assert len({file.url for file in FILES.values()}) == 6
    name = "Ant_maze_hardest-maze_noisy_multistart_True_multigoal_False_sparse_fixed.hdf5"
    assert FILES["antmaze-large-play-v2"].url.endswith(f"/{name}")
    with pytest.raises(DataFault, match="antmaze-tiny-v2") as caught:
        d4rl_file("antmaze-tiny-v2")
    assert "antmaze-umaze-v2" in caught.value.hint
    monkeypatch.setenv("PRIMACY_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.setitem(
        offline_files.FILES, "antmaze-umaze-v2", File(server.url, len(CONTENT), SHA)
    )
    assert d4rl_file("antmaze-umaze-v2") == tmp_path / "cache" / "d4rl" / "data.hdf5"
