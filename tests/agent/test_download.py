"""Downloads from a real server on the loopback interface, to a real file system."""

import grp
import hashlib
import http.server
import os
import pwd
import stat
import threading
import time

import pytest

from provision.agent.engine.resource import converge
from provision.agent.files.download import Download
from provision.agent.host.system import ReadOnly, System

DATA = b"x" * 300000


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked += 1
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        if self.path == "/cut":
            self.wfile.write(DATA[:1000])
        elif self.path == "/slow":
            self.drip()
        else:
            self.wfile.write(DATA)

    def drip(self):
        try:
            for _ in range(100):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:
            self.close_connection = True

    def log_message(self, *args):
        """Not on the test's output."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.asked = 0
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def system(tmp_path):
    return System(state=str(tmp_path / "state"))


def download(server, path, name="/file", **changes):
    fields = {
        "path": str(path),
        "url": "http://127.0.0.1:{}{}".format(server.server_port, name),
        "sha256": hashlib.sha256(DATA).hexdigest(),
        "mode": "0755",
        "owner": pwd.getpwuid(os.geteuid())[0],
        "group": grp.getgrgid(os.getegid())[0],
        "timeout": 20,
        "absent": False,
    }
    return Download(**dict(fields, **changes))


def test_it_is_fetched_once(server, system, tmp_path):
    path = tmp_path / "f"
    assert converge(download(server, path), ReadOnly(state=str(tmp_path / "s")), True)["outcome"] == "would-change"
    assert server.asked == 0
    assert converge(download(server, path), system, False)["outcome"] == "changed"
    assert path.read_bytes() == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert converge(download(server, path), system, False)["outcome"] == "ok"
    assert converge(download(server, path, mode="0700"), system, False)["outcome"] == "changed"
    assert server.asked == 1


@pytest.mark.parametrize(
    "name, changes, word",
    [
        ("/file", {"sha256": "0" * 64}, "has the sha256"),
        ("/missing", {}, "404"),
        ("/cut", {}, "1000 bytes"),
        ("/slow", {"timeout": 1}, "within 1 s"),
    ],
)
def test_what_is_not_the_asked_file_replaces_nothing(server, system, tmp_path, name, changes, word):
    path = tmp_path / "d" / "f"
    path.parent.mkdir()
    path.write_text("old")
    result = converge(download(server, path, name, **changes), system, False)
    assert result["outcome"] == "failed"
    assert word in result["error"]["cause"]
    assert result["error"]["fix"]
    assert path.read_text() == "old"
    assert os.listdir(str(path.parent)) == ["f"]


def test_a_server_that_is_not_there(server, system, tmp_path):
    resource = download(server, tmp_path / "f", url="http://127.0.0.1:1/f")
    assert "cannot be fetched" in converge(resource, system, False)["error"]["cause"]


def test_a_dropped_download_goes_and_another_file_stays(server, system, tmp_path):
    path = tmp_path / "f"
    undo = Download(**download(server, path).when_dropped()[1])
    path.write_text("somebody else's")
    assert converge(undo, system, False)["outcome"] == "ok"
    path.write_bytes(DATA)
    assert converge(undo, system, False)["outcome"] == "changed"
    assert not path.exists()
    assert undo.when_dropped() is None
