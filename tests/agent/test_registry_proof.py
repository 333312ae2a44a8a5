"""A login proven: both flows against a real server on this machine, and the rules of where a login may go."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from provision.agent.engine.resource import converge
from provision.agent.host.errors import Failed
from provision.agent.host.system import ReadOnly, System
from provision.agent.registries import http
from provision.agent.registries.http import Registry, goes_directly
from provision.agent.registries.login_proof import RegistryProof

RIGHT = "right-password"


class Handler(BaseHTTPRequestHandler):
    """A registry whose manners are those of `server.manners`."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        parts = urlsplit(self.path)
        given = self.headers.get("Authorization") or ""
        known = given == "Basic " + base64.b64encode(("ann:" + RIGHT).encode()).decode()
        manners = self.server.manners
        if parts.path == "/token":
            query = parse_qs(parts.query)
            assert query["service"] == ["registry, the"]
            assert query["x"] == ["1=2"], "the realm's own query is kept"
            if known or manners == "bearer-open":
                return self.answer(200, {"access_token": "good"})
            return self.answer(401)
        if manners == "open" or (manners == "basic" and known) or given == "Bearer good":
            return self.answer(200)
        if manners == "redirect":
            return self.answer(302, headers={"Location": "http://127.0.0.1:1/"})
        if manners == "odd":
            return self.answer(500)
        realm = "http://127.0.0.1:{}/token?x=1%3D2".format(self.server.server_port)
        bearer = 'Bearer realm="{}",service="registry, the"'.format(realm)
        return self.answer(401, headers={"WWW-Authenticate": 'Basic realm="x"' if manners == "basic" else bearer})

    def answer(self, status, document=None, headers=()):
        body = json.dumps(document or {}).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server():
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.manners = [], "basic"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def system(tmp_path, monkeypatch):
    monkeypatch.setattr(http, "daemon_proxies", lambda system: {})
    return System(state=str(tmp_path / "state"))


def proof(server, **changes):
    fields = {
        "registry": "127.0.0.1:{}".format(server.server_port),
        "username": "ann",
        "password": RIGHT,
        "ca_certificate": None,
        "realm_hosts": (),
        "repository": None,
        "insecure": False,
        "max_age": 3600,
        "timeout": 10,
    }
    return RegistryProof(**dict(fields, **changes))


def end(resource, system, check=False):
    result = converge(resource, system, check)
    if result["outcome"] == "ok" and not check:
        resource.settled(system)
    assert RIGHT not in str(result)
    return result


@pytest.mark.parametrize("manners", ["basic", "bearer"])
def test_the_right_login_is_proven_once_and_a_wrong_one_is_named(server, system, manners):
    server.manners = manners
    assert end(proof(server), system)["outcome"] == "ok"
    asked = len(server.seen)
    again = end(proof(server), system)
    assert again["outcome"] == "ok"
    assert "min ago" in again["note"]
    assert len(server.seen) == asked, "a proof that holds asks nobody"
    assert RIGHT not in json.dumps(system.state_file.section("proofs"))
    wrong = end(proof(server, password="wrong-password"), system)
    assert wrong["outcome"] == "failed"
    assert "ann" in wrong["error"]["cause"]
    assert str(server.server_port) in wrong["error"]["cause"]
    assert "wrong-password" not in str(wrong)


def test_a_proof_grows_old(server, system):
    end(proof(server), system)
    asked = len(server.seen)
    assert end(proof(server, max_age=0), system)["outcome"] == "ok"
    assert len(server.seen) > asked


def test_the_real_login_is_tried_wrong_only_once(server, system):
    server.manners = "bearer"
    end(proof(server, password="wrong-password"), system)
    wrong = "Basic " + base64.b64encode(b"ann:wrong-password").decode()
    assert [given for _, given in server.seen].count(wrong) == 1


@pytest.mark.parametrize("manners", ["open", "bearer-open"])
def test_what_anybody_would_get_proves_nothing(server, system, manners):
    server.manners = manners
    assert end(proof(server), system)["outcome"] == "unknown"


def test_check_proves_too_and_writes_nothing(server, tmp_path, system):
    nailed = ReadOnly(state=str(tmp_path / "state"))
    assert end(proof(server), nailed, check=True)["outcome"] == "ok"
    assert end(proof(server, password="wrong-password"), nailed, check=True)["outcome"] == "failed"
    assert not (tmp_path / "state").exists()


def test_nobody_there_is_due_in_check_and_unknown_in_apply(server, system):
    gone = proof(server, registry="127.0.0.1:1")
    assert end(gone, system, check=True)["outcome"] == "would-change"
    result = end(gone, system)
    assert result["outcome"] == "unknown"
    assert "127.0.0.1:1" in result["error"]["cause"]


def test_no_redirect_is_followed(server, system):
    server.manners = "redirect"
    assert end(proof(server), system)["outcome"] == "failed"


def test_what_is_no_registry_is_said(server, system):
    server.manners = "odd"
    assert "is no registry" in end(proof(server), system)["error"]["cause"]


class Elsewhere(Registry):
    def __init__(self, host, realm_hosts=(), insecure=False):
        self.name = self.host = host
        self._realm_hosts, self._insecure = realm_hosts, insecure

    def url(self, realm, **parameters):
        return self._token_url(dict(parameters, realm=realm), ("$oauthtoken", "x"), None)


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("registry-1.docker.io", "https://auth.docker.io/token"),
        ("nvcr.io", "https://nvcr.io/proxy_auth"),
        ("nvcr.io", "https://auth.nvcr.io/token"),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth"),
        ("registry.corp:5000", "https://registry.corp:5001/auth"),
    ],
)
def test_a_token_service_of_the_same_domain_is_trusted(host, realm):
    assert Elsewhere(host).url(realm).startswith(realm)


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("nvcr.io", "https://evil.io/token"),
        ("nvcr.io", "https://evilnvcr.io/token"),
        ("nvcr.io", "http://nvcr.io/token"),
        ("registry.corp:5000", "https://auth.corp/token"),
        ("shop.co.uk", "https://evil.co.uk/token"),
        ("10.0.0.1:5000", "https://9.0.0.1/token"),
        ("nvcr.io", ""),
        ("nvcr.io", "https://nvcr.io@evil.io/"),
    ],
)
def test_no_login_goes_elsewhere(host, realm):
    with pytest.raises(Failed):
        Elsewhere(host).url(realm)


def test_elsewhere_may_be_allowed_by_name():
    assert Elsewhere("nvcr.io", realm_hosts=("auth.evil.io",)).url("https://auth.evil.io/t")


def test_queries_are_merged():
    url = Elsewhere("nvcr.io").url(
        "https://nvcr.io/proxy_auth?scope=repository:nvidia/tensorflow:pull,push", service="s&t"
    )
    query = parse_qs(urlsplit(url).query)
    assert query == {
        "scope": ["repository:nvidia/tensorflow:pull,push"],
        "service": ["s&t"],
        "account": ["$oauthtoken"],
    }


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        ("https://r.corp/", ".corp", True),
        ("https://corp/", ".corp", False),
        ("https://corp/", "corp", True),
        ("https://r.corp/", "corp", True),
        ("https://rcorp/", "corp", False),
        ("https://10.1.2.3/", "10.0.0.0/8", True),
        ("https://10.1.2.3/", "10.1.2.4", False),
        ("https://r.corp:5000/", "r.corp:5000", True),
        ("https://r.corp/", "r.corp:5000", False),
        ("https://anything/", "*", True),
        ("https://localhost/", "", True),
        ("https://nvcr.io/", "a, b", False),
    ],
)
def test_no_proxy_is_read_as_docker_reads_it(url, no_proxy, direct):
    assert goes_directly(urlsplit(url), no_proxy) is direct
