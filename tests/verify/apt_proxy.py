"""apt_proxy: the proxies as apt puts its configuration together, and as the Docker daemon and its clients have them."""

import json
import re

import pytest

from provision.verify.asked import agree, fresh_login

HIDDEN = "********"


def plain(url):
    """A proxy without the login in it, which is a secret."""
    return re.sub(r"//[^@/]*@", "//", (url or "").rstrip("/"))


@pytest.fixture(scope="session")
def proxies(settings):
    asked = settings["apt_proxy"]
    return {scheme: asked[scheme] for scheme in ("http", "https", "ftp") if asked[scheme]}


@pytest.fixture(scope="session")
def apt(host):
    """apt's own view: every file of apt.conf.d in its order, name of the option to value."""
    lines = host.check_output("apt-config dump").splitlines()
    return dict(re.fullmatch(r'(\S+) "(.*)";', line).groups() for line in lines if re.fullmatch(r'\S+ ".*";', line))


def test_apt_uses_the_proxies(settings, proxies, apt):
    asked = dict(proxies)
    if "http" in asked:
        asked.setdefault("https", asked["http"])
    agree({f"apt_proxy.{name}": (plain(url), plain(apt.get(f"Acquire::{name}::Proxy"))) for name, url in asked.items()})


def test_apt_has_no_proxy_where_none_is_asked(proxies, host):
    if proxies:
        pytest.skip("proxies are asked for")
    assert not host.file("/etc/apt/apt.conf.d/proxy.conf").exists


def test_apt_logs_in_at_the_proxy_with_the_asked_name(settings, proxies, apt):
    user = settings["apt_proxy"]["username"]
    if user is None:
        pytest.skip("apt_proxy.username is not set")
    found = {name: re.search(r"//([^:@/]*)", apt.get(f"Acquire::{name}::Proxy", "")) for name in proxies}
    agree({f"apt_proxy.username ({name})": (user, match and match[1]) for name, match in found.items()})


def test_nobody_else_reads_the_password(settings, host):
    if settings["apt_proxy"]["password"] != HIDDEN:
        pytest.skip("apt_proxy.password is not set")
    file = host.file("/etc/apt/apt.conf.d/proxy.conf")
    agree({"proxy.conf": ("root:root 0o600", f"{file.user}:{file.group} {oct(file.mode)}")})


def test_the_docker_daemon_has_the_proxies(settings, proxies, host, dockerd):
    if not settings["apt_proxy"]["docker_daemon"] or not proxies or not host.exists("dockerd"):
        pytest.skip("the Docker daemon is not asked to have them, or there is none")
    https = proxies.get("https", proxies.get("http"))
    asked = {"HttpProxy": proxies.get("http"), "HttpsProxy": None if https == "DIRECT" else https}
    # The daemon's own words, without the password: daemon.json wins over its environment, which would not show that.
    found = {f"docker info: {key}": (plain(url), plain(dockerd.info.get(key))) for key, url in asked.items() if url}
    if found and settings["apt_proxy"]["no_proxy"]:
        found["docker info: NoProxy"] = (",".join(settings["apt_proxy"]["no_proxy"]), dockerd.info.get("NoProxy"))
    agree(found)


def test_users_clients_have_the_proxies(settings, proxies, host):
    for user in settings["apt_proxy"]["client_users"]:
        text = fresh_login(host, user, "cat ~/.docker/config.json").stdout
        there = json.loads(text or "{}").get("proxies", {}).get("default", {})
        found = plain(there.get("httpProxy"))
        agree({f"~{user}/.docker/config.json: httpProxy": (plain(proxies.get("http")), found)})
