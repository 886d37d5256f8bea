"""Requests that web pages can make a browser send: DNS rebinding, cross-site, other protocols."""

import postgres_wire
import wire
from registry import attack, expect
from wire import ask, host_of, sql_path

EVIL = "evil.example"
OTHER_HOSTS = (
    EVIL,
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example:80",
    "localhost@evil.example",
    "evil.example#localhost",
    "[::1].evil.example",
    "",
)
CROSS_SITE = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
)


def complete_report(target, max_gap):
    """The id of a report that is complete, and of no option that legitimate clients give."""
    ident = wire.trigger(target, max_gap=max_gap)
    ask(target, "GET", f"/v1/reports/{ident}?wait=60s")
    must_be_there(target, ident)
    return ident


def must_be_there(target, ident):
    status, _, body = ask(target, "GET", f"/v1/reports/{ident}")
    expect(
        status == 200, f"the report of this machine's client was answered {status}: {body[:100]!r}"
    )


def forbidden(target, method, path, body, headers):
    status, told, answer = ask(target, method, path, body, headers)
    asked = f"{method} {path} with {headers}"
    expect(400 <= status < 500, f"{asked} was answered {status}: {answer[:100]!r}")
    allowed = {name.lower(): value for name, value in told.items()}.get(
        "access-control-allow-origin"
    )
    expect(allowed is None, f"{asked} let other pages read the answer: {allowed}")


def guarded_requests(target, ident):
    """Requests that change state or run SQL."""
    return [
        ("POST", "/trigger-report", b"{}"),
        ("GET", "/trigger_report", None),
        ("POST", "/v1/reports", b'{"max_gap": "1h"}'),
        ("DELETE", f"/v1/reports/{ident}", None),
        ("GET", sql_path("SELECT 1"), None),
        ("POST", "/v1/sql", b"SELECT 1"),
    ]


@attack("DNS rebinding: requests under the name of another host")
def rebinding(target):
    ident = complete_report(target, "7h")
    for host in OTHER_HOSTS:
        for request in [
            *guarded_requests(target, ident),
            ("GET", "/v1/reports", None),
            ("GET", "/v1/stores", None),
        ]:
            forbidden(target, *request, {"Host": host})
    # Several hosts, of which one is allowed; and a target that names another than the field.
    for lines in (
        f"GET {sql_path('SELECT 1')} HTTP/1.1\r\nHost: {host_of(target)}\r\nHost: {EVIL}\r\n",
        f"GET {sql_path('SELECT 1')} HTTP/1.1\r\nHost: {EVIL}\r\nHost: {host_of(target)}\r\n",
        f"GET http://{EVIL}{sql_path('SELECT 1')} HTTP/1.1\r\nHost: {host_of(target)}\r\n",
        f"GET {sql_path('SELECT 1')} HTTP/1.1\r\n",
    ):
        told = wire.statuses(wire.say(target, (lines + "Connection: close\r\n\r\n").encode()))
        expect(
            told and all(400 <= status < 500 for status in told), f"{lines!r} was answered {told}"
        )
    must_be_there(target, ident)


@attack("cross-site requests of web pages that trigger, delete or run SQL")
def cross_site(target):
    ident = complete_report(target, "8h")
    for headers in CROSS_SITE:
        for request in guarded_requests(target, ident):
            forbidden(target, *request, headers)
    must_be_there(target, ident)
    for method in ("POST", "DELETE"):
        asking = {"Origin": f"https://{EVIL}", "Access-Control-Request-Method": method}
        _, told, _ = ask(target, "OPTIONS", "/v1/reports", None, asking)
        allowed = [
            value for name, value in told.items() if name.lower() == "access-control-allow-origin"
        ]
        expect(not allowed, f"a preflight of another site was allowed: {allowed}")


@attack("pages that show /docs in a frame, or strip its TLS", over="locked")
def framing(target):
    status, told, _ = ask(target, "GET", "/docs")
    told = {name.lower(): value for name, value in told.items()}
    expect(status == 200, f"/docs was answered {status}")
    policy = told.get("content-security-policy", "")
    expect("frame-ancestors 'none'" in policy, f"/docs may be shown in frames: {policy}")
    expect("strict-transport-security" in told, "no HSTS over TLS")


@attack("a web page's request to the ports of other protocols")
def other_protocols(target):
    question = postgres_wire.startup() + postgres_wire.query("SELECT 4711")
    head = f"POST / HTTP/1.1\r\nHost: {EVIL}\r\nContent-Type: text/plain\r\nContent-Length: {len(question)}\r\n\r\n"
    for address in (target.postgres, target.flight):
        with wire.connect(address, target.source) as connection:
            connection.sendall(head.encode() + question)
            heard = wire.read_to_end(connection, 2)
            expect(
                b"4711" not in heard, f"a request of HTTP was answered with rows: {heard[:100]!r}"
            )
    heard = wire.say(target, question)
    expect(b"4711" not in heard, f"a startup was answered with rows: {heard[:100]!r}")
