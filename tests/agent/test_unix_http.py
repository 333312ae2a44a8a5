"""HTTP over a Unix socket, beside a server that answers with what the test says."""

import socket
import threading

import pytest

from provision.agent.host import unix_http
from provision.agent.host.system import ReadOnly, System


@pytest.fixture
def answering(tmp_path):
    """answering(*pieces): the socket's path; what was asked for is in the list `heard`. A None: it never answers."""
    path, listeners = str(tmp_path / "s"), []

    def serve(listener, pieces, heard):
        connection, _ = listener.accept()
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(65536)
            head, _, body = data.partition(b"\r\n\r\n")
            length = [int(line.split()[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")]
            while length and len(body) < length[0]:
                body += connection.recv(65536)
            heard += [head, body]
            for piece in pieces:
                if piece is None:
                    connection.recv(1)
                else:
                    connection.sendall(piece)

    def start(*pieces):
        listener, heard = socket.socket(socket.AF_UNIX), []
        listeners.append(listener)
        listener.bind(path)
        listener.listen(1)
        threading.Thread(target=serve, args=(listener, pieces, heard), daemon=True).start()
        return path, heard

    yield start
    for listener in listeners:
        listener.close()


def test_a_whole_answer(answering, tmp_path):
    path, heard = answering(b"HTTP/1.0 200 O", b"K\r\nX: y\r\n\r\n{", b"}")
    assert System(str(tmp_path)).get_unix(path, "/info?a=b") == (200, b"{}")
    assert heard == [b"GET /info?a=b HTTP/1.0\r\nHost: localhost", b""]


def test_a_body_goes_with_its_length(answering, tmp_path):
    path, heard = answering(b"HTTP/1.0 201 Created\r\n\r\n")
    body = b"x" * 300000
    with System(str(tmp_path)).ask_unix("POST", path, "/x", body, {"Content-Type": "a/b"}) as answer:
        assert (answer.status, answer.read()) == (201, b"")
    assert heard[0].split(b"\r\n")[2:] == [b"Content-Type: a/b", b"Content-Length: 300000"]
    assert heard[1] == body


def test_lines_come_one_by_one(answering, tmp_path):
    path, _ = answering(b"HTTP/1.0 200 OK\r\n\r\none\ntw", b"o\n\nlast")
    with System(str(tmp_path)).ask_unix("POST", path, "/x") as answer:
        assert list(answer.lines()) == [b"one\n", b"two\n", b"\n", b"last"]


@pytest.mark.parametrize("pieces", [[None], [b"HTTP/1.0 200 OK\r\n\r\n{", None]])
def test_a_silent_server_is_a_time_limit(answering, tmp_path, pieces):
    path, _ = answering(*pieces)
    with pytest.raises(socket.timeout):
        System(str(tmp_path)).get_unix(path, "/x", timeout=0.2)


def test_an_answer_without_end_is_cut_off(answering, tmp_path, monkeypatch):
    monkeypatch.setattr(unix_http, "LIMIT", 1000)
    path, _ = answering(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 2000, None)
    with pytest.raises(socket.timeout, match="no end of the answer"):
        System(str(tmp_path)).get_unix(path, "/x", timeout=30)


def test_what_is_no_http_is_said(answering, tmp_path):
    path, _ = answering(b"SSH-2.0-x\r\n")
    with pytest.raises(OSError, match="does not speak HTTP"):
        System(str(tmp_path)).get_unix(path, "/x")


def test_check_mode_only_reads(answering, tmp_path):
    path, _ = answering(b"HTTP/1.0 200 OK\r\n\r\n")
    with pytest.raises(AssertionError, match="check mode"):
        ReadOnly(str(tmp_path)).ask_unix("POST", path, "/x")
    assert ReadOnly(str(tmp_path)).get_unix(path, "/x") == (200, b"")
