"""Attack: a webhook's address leads into the operator's own network, itself, by DNS that changes, or by redirect.

The addresses are those of published lists for SSRF, and each kind that IPv6 can hold an IPv4 address in.
"""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from accounts.webhooks import addresses, sending
from accounts.webhooks.addresses import AddressRefused, HostUnknown, Target, is_allowed
from accounts.webhooks.services import endpoints as services
from tests.receivers import Receiver, receiving
from vibe.core.errors import ConfigurationError, InputError

INSIDE = {
    "loopback": ["127.0.0.1", "127.1.2.3", "::1"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],  # noqa: S104
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1"],
    "link-local": ["169.254.169.254", "169.254.0.1", "fe80::1"],
    "clouds": ["168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254"],
    "carrier-grade NAT": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "broadcast, reserved": ["255.255.255.255", "240.0.0.1", "fec0::1", "100::1", "5f00::1", "4000::1"],
    "documentation, tests": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "2001:db8::1", "3fff::1"],
    "relays": ["192.88.99.1", "2001::1", "2001:20::1", "2620:4f:8000::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"],
    "compatible": ["::127.0.0.1", "::10.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "64:ff9b:1::a00:1"],
    "6to4": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::1"],
}
EACH = [pytest.param(text, id=f"{kind} {text}") for kind, all_of_it in INSIDE.items() for text in all_of_it]
LITERAL = ("127.0.0.1",)
OUTSIDE = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.fixture
def named(monkeypatch):
    """Names lead where a test says: named("a.example", "8.8.8.8"). Several lists: one for each time it is asked."""
    answers, asked, really = {}, [], socket.getaddrinfo

    def look_up(host, port, *how, **more):
        if host in LITERAL:
            return really(host, port, *how, **more)
        asked.append(host)
        if host not in answers:
            raise socket.gaierror
        times = answers[host]
        found = times.pop(0) if len(times) > 1 else times[0]
        return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, 1, 6, "", (ip, port)) for ip in found]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", look_up)

    def name(host, *times):
        answers[host] = [list(each) if isinstance(each, list) else [each] for each in times]
        return asked

    return name


@pytest.fixture
def connected(monkeypatch):
    """Where requests would have been connected to; nothing is."""
    seen = []

    def refuse(address, **_):
        seen.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(sending.socket, "create_connection", refuse)
    return seen


@pytest.mark.parametrize("inside", EACH)
def test_no_address_inside_is_taken_nor_connected_to(inside, named, connected):
    url = "https://evil.example/x"
    named("evil.example", inside)
    with pytest.raises(AddressRefused):
        services.check_address(url)
    outcome = sending.post(url, {}, b"{}")
    assert (outcome.failure, connected) == (AddressRefused.message, [])


@pytest.mark.parametrize("inside", EACH)
def test_control_without_the_check_it_is_connected_to(inside, named, connected, monkeypatch):
    monkeypatch.setattr(addresses, "is_allowed", lambda *_, **__: True)
    named("evil.example", inside)
    services.check_address("https://evil.example/x")
    sending.post("https://evil.example/x", {}, b"{}")
    assert connected == [str(ip_address(inside))]


@pytest.mark.parametrize("outside", OUTSIDE)
def test_public_addresses_are_taken(outside, named, connected):
    named("fine.example", outside)
    services.check_address("https://fine.example/x")
    sending.post("https://fine.example/x", {}, b"{}")
    assert connected == [str(ip_address(outside))]


def test_one_address_inside_among_public_ones_is_enough_to_refuse(named, connected):
    named("evil.example", ["8.8.8.8", "10.0.0.1"])
    assert sending.post("https://evil.example/", {}, b"").failure == AddressRefused.message
    assert connected == []


def test_a_name_that_changes_after_registration_is_refused_at_delivery(named, connected):
    named("evil.example", "8.8.8.8", "127.0.0.1")
    services.check_address("https://evil.example/x")
    assert sending.post("https://evil.example/x", {}, b"{}").failure == AddressRefused.message
    assert connected == []


def test_a_name_that_changes_between_check_and_connection_leads_nowhere_else(named, connected):
    """It is looked up once, and the connection goes to the address, not to the name."""
    asked = named("evil.example", "8.8.8.8", "127.0.0.1")
    sending.post("https://evil.example/x", {}, b"{}")
    assert (asked, connected) == (["evil.example"], ["8.8.8.8"])


def test_control_a_client_that_looks_the_name_up_itself_follows_it_inside(named, monkeypatch):
    import http.client

    asked = named("evil.example", "8.8.8.8", "127.0.0.1")
    assert Target.of("https://evil.example/x").addresses(1)
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("evil.example", 9, timeout=0.2).request("GET", "/")
    assert asked == ["evil.example"] * 2


FORMS = [
    *("http://127.1/", "https://127.1/", "https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/"),
    *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://localhost/", "https://[::]/", "https://0/"),
]


@pytest.mark.parametrize("url", FORMS)
def test_other_ways_to_write_an_address_inside(url):
    """The system's own look-up reads them, and what it gives is what is checked."""
    with pytest.raises((AddressRefused, HostUnknown)):
        services.check_address(url)


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "//a.example", "a.example", ""),
        *("https://user@a.example/", "https://user:word@a.example/", "https://a.example/#x", "https:///x"),
        *("https://a.example:99999/", "https://a.example:x/", "https://a.example:0/", "https://[::1/"),
        *("https://a.example/\r\nX: y", "https://a.example/ x", "https://a.example\\@b.example/", "https://ä.example/"),
        "https://a.example/" + "x" * 500,
    ],
)
def test_what_is_no_address_of_a_webhook(url, named):
    for host in ("a.example", "b.example", "user"):
        named(host, "8.8.8.8")
    with pytest.raises(InputError):
        services.check_address(url)


def test_http_goes_to_own_networks_alone(named, settings):
    named("a.example", "8.8.8.8")
    named("b.example", "10.1.2.3")
    with pytest.raises(AddressRefused):
        services.check_address("http://a.example/")
    with pytest.raises(AddressRefused):
        services.check_address("http://b.example/")
    settings.WEBHOOK_NETWORKS = ["10.1.0.0/16"]
    services.check_address("http://b.example/")
    services.check_address("https://b.example/")
    with pytest.raises(AddressRefused):
        services.check_address("http://a.example/")
    assert is_allowed(ip_address("::ffff:10.1.2.3"), secure=False)
    assert not is_allowed(ip_address("10.2.0.1"), secure=True)


@pytest.mark.parametrize("wrong", ["localhost", "10.0.0.1/8", "10.0.0.0/40"])
def test_networks_that_are_none_stop_the_start(settings, wrong):
    settings.WEBHOOK_NETWORKS = [wrong]
    with pytest.raises(ConfigurationError, match="WEBHOOK_NETWORKS"):
        addresses.networks()


def test_a_redirect_inside_is_not_followed(settings):
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    with receiving(Receiver()) as inside, receiving(Receiver(lambda *_: 307)) as outside:
        outside.headers = {"Location": inside.url}
        outcome = sending.post(outside.url, {}, b"{}")
    assert outcome.failure == "The receiver answered 307. Redirects are not followed: change the address."
    assert (len(outside.got), inside.got) == (1, [])


def test_a_proxy_of_the_environment_is_not_used(settings, monkeypatch):
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    with receiving(Receiver()) as proxy, receiving(Receiver()) as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert sending.post(receiver.url, {}, b"{}").failure == ""
    assert (len(receiver.got), proxy.got) == (1, [])


# Connected by address, the certificate and the request are still those of the name


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """A certificate and its key in one file, which this process trusts: certificate("hooks.example")."""

    def make(host):
        key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file = tmp_path / "certificate.pem"
        file.write_bytes(private + made.public_bytes(pem))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        sending.trusted.cache_clear()
        return file

    yield make
    monkeypatch.undo()
    sending.trusted.cache_clear()


@pytest.mark.parametrize(("host", "said"), [("hooks.example", ""), ("other.example", "certificate")])
def test_by_https_the_name_is_verified_and_sent_along(host, said, certificate, named, settings):
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    named(host, "127.0.0.1")
    with receiving(Receiver(), certificate=certificate("hooks.example")) as receiver:
        outcome = sending.post(f"https://{host}:{receiver.port}/x?y=z", {"webhook-id": "m"}, b"{}")
    assert (said in outcome.failure, bool(outcome.failure)) == (True, bool(said))
    assert [(got.headers["host"], got.path) for got in receiver.got] == (
        [] if said else [(f"hooks.example:{receiver.port}", "/x?y=z")]
    )


def test_a_handshake_that_never_ends_is_given_up_in_time(named, settings):
    settings.WEBHOOK_NETWORKS = ["127.0.0.1/32"]
    named("slow.example", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = sending.post(f"https://slow.example:{silent.getsockname()[1]}/", {}, b"", seconds=0.3)
    assert outcome.failure == "The receiver gave no answer within 0.3 s."


def test_a_look_up_that_never_ends_is_given_up_in_time(monkeypatch):
    from threading import Event

    over = Event()
    monkeypatch.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: over.wait(30) and [])
    assert sending.post("https://slow.example/", {}, b"", seconds=0.2).failure == HostUnknown.message
    over.set()
