"""Both kinds of mail hold their contract; the real one encrypts, signs in, and is never held up."""

import contextlib
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from attrs import evolve

from adapters.memory.mail import MemoryMail
from adapters.smtp_mail import SmtpMail
from commerce_core.base.errors import InvalidInput, Unreachable
from commerce_core.ports.mail import NoMail
from entrypoints.compose import _mail
from entrypoints.settings import Settings
from tests.contracts.mail_contract import GONE, LETTER, PostOffice
from tests.contracts.mail_contract import TestMail as TestMail  # noqa: PLC0414 - collected from here
from tests.support.servers.post import HOST, PASSWORD, USER, PostServer, post_server, raw
from tests.support.servers.wire import Authority

SENDER = "Open Commerce <alerts@example.com>"
AGAIN = 0.01
"""Seconds after which a server that dawdles sends something again."""
SOON = 0.5
"""A deadline that is over soon, however long the server would go on."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.under(tmp_path_factory.mktemp("ca"), HOST)


@pytest.fixture(params=["memory", "smtp"])
def office(request: pytest.FixtureRequest) -> Iterator[PostOffice]:
    gone = frozenset({GONE})
    if request.param == "memory":
        mail = MemoryMail(gone)
        yield PostOffice(mail, lambda: mail.letters)
        return
    with post_server(gone=gone) as post:
        yield PostOffice(plain(post.port), post.letters)


def plain(port: int) -> SmtpMail:
    return SmtpMail.at(f"smtp+plain://127.0.0.1:{port}", SENDER)


def encrypted(scheme: str, post: PostServer, ca_file: str, password: str = PASSWORD) -> SmtpMail:
    url = f"{scheme}://{USER}:{quote(password, safe='')}@{HOST}:{post.port}"
    return evolve(SmtpMail.at(url, SENDER), ca_file=ca_file)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_it_is_encrypted_and_signs_in(authority: Authority, scheme: str):
    with post_server(authority.server, begins_encrypted=scheme == "smtps") as post:
        encrypted(scheme, post, str(authority.ca_file)).send(LETTER)
        assert post.letters() == [LETTER]
        assert post.signed_in == [USER.encode()]


def test_the_sender_and_an_automatic_message_are_declared():
    """So that no vacation notice answers."""
    with post_server() as post:
        plain(post.port).send(LETTER)
        (envelope,) = post.envelopes
    assert envelope.mail_from == "alerts@example.com"
    assert b"Auto-Submitted: auto-generated" in raw(envelope)
    assert f"Message-ID: <{LETTER.message_id}@example.com>".encode() in raw(envelope)
    assert max(map(len, raw(envelope).split(b"\r\n"))) <= 998


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_that_is_not_trusted_ends_it_before_the_password(
    authority: Authority, scheme: str
):
    with post_server(authority.server, begins_encrypted=scheme == "smtps") as post:
        mail = evolve(encrypted(scheme, post, str(authority.ca_file)), ca_file=None)
        assert refusal(mail) == "bad_certificate"
        assert (post.signed_in, post.envelopes) == ([], [])


def test_a_server_without_encryption_gets_no_password(authority: Authority):
    with post_server() as post:
        assert refusal(encrypted("smtp", post, str(authority.ca_file))) == "not_encrypted"
        assert post.signed_in == []


def test_a_wrong_password_is_reported_without_it(authority: Authority):
    with post_server(authority.server) as post:
        mail = encrypted("smtp", post, str(authority.ca_file), "wrong-secret")
        with pytest.raises(Unreachable) as error:
            mail.send(LETTER)
    assert error.value.code == "mail_login"
    assert "secret" not in f"{error.value}{mail!r}"


# Servers that misbehave


Serve = Callable[[socket.socket, threading.Event], None]


def _greets(*answers: bytes) -> Serve:
    def serve(connection: socket.socket, _: threading.Event) -> None:
        with connection.makefile("rb") as asked:
            for answer in answers:
                connection.sendall(answer)
                asked.readline()

    return serve


def _drips(connection: socket.socket, over: threading.Event) -> None:
    while not over.wait(AGAIN):
        connection.sendall(b"2")


def _never_ends_its_answer(connection: socket.socket, over: threading.Event) -> None:
    while not over.wait(AGAIN):
        connection.sendall(b"220-wait\r\n")


def _says_nothing(connection: socket.socket, _: threading.Event) -> None:
    connection.recv(1)


@contextlib.contextmanager
def wire(serve: Serve) -> Generator[int]:
    """A server that behaves so to everyone."""
    over = threading.Event()

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with contextlib.suppress(OSError), connection:
                    serve(connection, over)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def refusal(mail: SmtpMail | NoMail) -> str:
    with pytest.raises(Unreachable) as error:
        mail.send(LETTER)
    return error.value.code


MISBEHAVIOUR: dict[str, tuple[Serve, str]] = {
    "silent": (_says_nothing, "timed_out"),
    "drips": (_drips, "timed_out"),
    "endless": (_never_ends_its_answer, "timed_out"),
    "nothing": (_greets(), "cut_off"),
    "http": (_greets(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "mail_refused"),
    "closed": (_greets(b"554 Go away\r\n"), "mail_refused"),
    "greets": (_greets(b"220 hello\r\n"), "cut_off"),
    "sender": (_greets(b"220 hello\r\n", b"250 me\r\n", b"550 no\r\n"), "mail_refused"),
    "later": (_greets(b"220 hello\r\n", b"250 me\r\n", b"250 ok\r\n", b"451 no\r\n"), "cut_off"),
    "line": (_greets(b"2" * 100_000), "mail_refused"),
}


@pytest.mark.parametrize(("serve", "code"), MISBEHAVIOUR.values(), ids=MISBEHAVIOUR)
def test_a_server_that_misbehaves_is_reported_in_time(serve: Serve, code: str):
    """However slowly it sends something, the deadline is over everything."""
    with wire(serve) as port:
        mail = evolve(plain(port), seconds=SOON if code == "timed_out" else 60)
        assert refusal(mail) == code


def test_what_can_not_be_reached_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert refusal(plain(port)) == "not_connected"
    assert refusal(SmtpMail.at("smtp+plain://mail.invalid", SENDER)) == "unresolved"
    assert refusal(NoMail()) == "no_mail_server"


# Settings


def test_a_server_is_a_setting_with_the_usual_ports(tmp_path: Path):
    file = tmp_path / "smtp"
    file.write_text("smtps://me:s%2Fcret@mail.example.com\n")
    for url, found in {
        f"file:{file}": ("smtps", 465, "me", "s/cret"),
        "smtp://mail.example.com": ("smtp", 587, "", ""),
        "smtp+plain://relay:2525": ("smtp+plain", 2525, "", ""),
    }.items():
        mail = _mail(Settings(smtp_url=url, mail_from="alerts@example.com"))
        assert isinstance(mail, SmtpMail)
        assert (mail.scheme, mail.port, mail.user, mail.password) == found
    assert not _mail(Settings()).is_set_up


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("mail.example.com", SENDER),
        ("https://mail.example.com", SENDER),
        ("smtp://", SENDER),
        ("smtp://mail.example.com:port", SENDER),
        ("smtp://mail.example.com/path", SENDER),
        ("smtp+plain://me:secret@relay", SENDER),
        ("smtp://me:secr%C3%A9t@mail.example.com", SENDER),
        ("file:/nowhere/smtp", SENDER),
        ("smtp://mail.example.com", ""),
        ("smtp://mail.example.com", "alerts"),
        ("smtp://mail.example.com", "alerts@example.com\nBcc: thief@example.com"),
    ],
)
def test_a_setting_that_can_not_be_is_refused_without_the_password(url: str, sender: str):
    with pytest.raises(InvalidInput) as error:
        _mail(Settings(smtp_url=url, mail_from=sender))
    assert error.value.code == "bad_setting"
    assert "secret" not in str(error.value)


def test_the_password_is_in_no_text_about_the_settings():
    url = "smtps://me:secret@mail.example.com"
    settings = Settings(smtp_url=url, mail_from=SENDER)
    assert "secret" not in f"{settings!r}{SmtpMail.at(url, SENDER)!r}"
