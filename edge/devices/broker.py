"""An MQTT 3.1.1 broker, through paho-mqtt's client on its own thread: the only import of it.

Handlers are called on that thread. The connection is tried again for ever: after 1 to 2 s where the
network fails, up to 30 s apart where the broker refuses us.
"""

import contextlib
import logging
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import ConfigError

log = logging.getLogger(__name__)

KEEPALIVE_S = 15
"""After 1.5 of these without a sign of life the broker publishes the will."""
UNACKNOWLEDGED_MS = 8000
"""A cable that is out is noticed after this and a ping: before the broker gives us up."""
CONNECT_TIMEOUT_S = 3.0
PROBE_TIMEOUT_S = 5.0
FAREWELL_S = 2.0
NETWORK_DELAYS_S = (1, 2)
MAX_REFUSED_DELAY_S = 30
SHORT_S = 60.0
MAX_SHORT = 5
"""After so many connections in a row that the broker ended within SHORT_S, somebody else has our
client id: each takes the connection from the other. Without a pause both do so every second."""
SHORT_DELAY_S = 20
ENDED = "unspecified error"
"""paho's reason where the broker closes the connection."""
MAX_UNACKNOWLEDGED = 20
MAX_PAYLOAD_BYTES = 4096
"""What is longer is nothing that we asked for."""


@dataclass(frozen=True)
class Account:
    """Where the broker is, and who we are there."""

    host: str
    port: int
    client_id: str
    tls: "ssl.SSLContext | None" = None
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def tls_context(ca: str, cert: str, key: str) -> ssl.SSLContext:
    """Checks the broker's certificate and its name, always. Raises ConfigError."""
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (OSError, ValueError) as error:
        raise ConfigError(f"mqtt.ca = {ca}: {_short(error)}") from error
    # Python 3.13 refuses what older ones take: an authority of one's own without a key usage.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if cert:
        try:
            context.load_cert_chain(cert, key)
        except (OSError, ValueError) as error:
            raise ConfigError(f"mqtt.cert = {cert}, mqtt.key = {key}: {_short(error)}") from error
    return context


class _Client(paho.Client):
    """paho's client, which survives what a broker that breaks the protocol makes it raise."""

    on_broken: Callable[[Exception], None]

    def loop_forever(
        self, timeout: float = 1.0, retry_first_connection: bool = False
    ) -> MQTTErrorCode:
        while True:
            try:
                return super().loop_forever(timeout, retry_first_connection)
            except Exception as error:
                self.on_broken(error)
                self.connect_async(self.host, self.port, self.keepalive)
                threading.Event().wait(MAX_REFUSED_DELAY_S)


def make_client(account: Account) -> _Client:
    client = _Client(CallbackAPIVersion.VERSION2, client_id=account.client_id)
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.max_queued_messages_set(MAX_UNACKNOWLEDGED)
    if account.user:
        client.username_pw_set(account.user, account.password or None)
    if account.tls is not None:
        client.tls_set_context(account.tls)
    return client


class Receipt:
    """What became of a message of QoS 1. paho sends it again until it is acknowledged."""

    def __init__(self, sent: paho.MQTTMessageInfo) -> None:
        self._sent = sent
        self.is_lost = sent.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE
        """Too many wait for a broker that acknowledges none."""
        if not self.is_lost:
            sent.rc = MQTTErrorCode.MQTT_ERR_SUCCESS  # "no connection" would stay there for ever

    @property
    def is_acknowledged(self) -> bool:
        return not self.is_lost and self._sent.is_published()


class Broker:
    """A connection that is kept up, and what is published and received over it."""

    def __init__(self, account: Account, will: tuple[str, bytes], topics: list[str]) -> None:
        """`will`: (topic, payload), retained, for when we are gone. `topics`: what is received."""
        self._topics = [(topic, 1) for topic in topics]
        self._account = account
        self._is_connected = self._is_accepted = False
        self._has_failed = False
        self._refused_s = 1
        self._connected_s = 0.0
        self._short = 0
        self._client = make_client(account)
        self._client.will_set(*will, qos=1, retain=True)

    def start(
        self,
        on_connect: Callable[[], None],
        on_failure: Callable[[str], None],
        on_message: Callable[[str, bytes, bool], None],
    ) -> None:
        """Connect, now and whenever it is lost.

        `on_failure(why)`: it was lost, or could not be made. `on_message(topic, payload,
        retained)`.
        """
        self._on_connected, self._on_failure, self._on_received = on_connect, on_failure, on_message
        client = self._client
        client.on_connect = self._on_connack
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_socket_open = _notice_dead_peers
        client.on_broken = self._on_broken
        client.connect_async(self._account.host, self._account.port, KEEPALIVE_S)
        client.loop_start()

    def _on_connack(self, client: Any, _: Any, __: Any, code: ReasonCode, *___: Any) -> None:
        if code.is_failure:
            self._has_failed = True
            self._fail(f"{self._account}: {str(code).lower()}", refused=True)
            return
        self._is_connected = True
        self._connected_s = time.monotonic()
        client.subscribe(self._topics)
        self._on_connected()

    def _on_subscribe(self, *_: Any) -> None:
        self._is_accepted, self._refused_s = True, 1

    def _on_connect_fail(self, *_: Any) -> None:
        error = sys.exc_info()[1]  # paho calls this while it handles it
        refused = isinstance(error, ssl.SSLError) and not isinstance(error, TimeoutError)
        self._fail(f"{self._account}: {explain(error)}", refused)

    def _on_disconnect(self, _: Any, __: Any, ___: Any, code: ReasonCode, *____: Any) -> None:
        was_connected, was_accepted = self._is_connected, self._is_accepted
        self._is_connected = self._is_accepted = False
        has_failed, self._has_failed = self._has_failed, False
        if not code.is_failure or has_failed:
            return  # we left; or it is the end of what CONNACK refused
        reason = str(code).lower()
        is_short = time.monotonic() - self._connected_s < SHORT_S
        is_ended = was_accepted and reason == ENDED
        self._short = self._short + 1 if is_ended and is_short else 0
        if self._short > MAX_SHORT:
            why = "lost again and again: is this card a copy?"
        elif was_connected:
            why = f"connection lost ({reason})"
        elif "alive" in reason:
            why = "it accepts connections and does not answer"
        else:
            why = "it closes the connection before CONNACK"
        self._fail(f"{self._account}: {why}", refused=not was_accepted)

    def _on_broken(self, error: Exception) -> None:
        self._is_connected = self._is_accepted = False
        self._fail(f"{self._account}: it breaks the protocol ({type(error).__name__})", True)

    def _fail(self, why: str, refused: bool) -> None:
        if self._short > MAX_SHORT:
            self._client.reconnect_delay_set(SHORT_DELAY_S, SHORT_DELAY_S)
        elif refused:
            self._refused_s = min(2 * self._refused_s, MAX_REFUSED_DELAY_S)
            self._client.reconnect_delay_set(self._refused_s, self._refused_s)
        else:
            self._refused_s = 1
            self._client.reconnect_delay_set(*NETWORK_DELAYS_S)
        self._on_failure(why)

    def _on_message(self, _: Any, __: Any, message: paho.MQTTMessage) -> None:
        if len(message.payload) <= MAX_PAYLOAD_BYTES:
            self._on_received(message.topic, bytes(message.payload), message.retain)

    def publish(self, topic: str, payload: bytes, retain: bool, qos: int) -> "Receipt":
        """Send it; while there is no connection, QoS 0 is dropped. Never blocks."""
        return Receipt(self._client.publish(topic, payload, qos, retain))

    def close(self, topic: str, payload: bytes) -> None:
        """Leave, with a last retained message where there is a connection: no will follows."""
        if self._client.is_connected():
            last = self._client.publish(topic, payload, 1, True)
            with contextlib.suppress(RuntimeError, ValueError):  # it is lost in this moment
                last.wait_for_publish(FAREWELL_S)
            self._client.disconnect()
            self._client.loop_stop()
        else:
            self._client.disconnect()  # its thread may be in a name server's hands: it is a daemon


def _notice_dead_peers(_: Any, __: Any, opened: Any) -> None:
    """tcp(7)"""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def explain(error: BaseException | None) -> str:
    """Why there is no connection, in ten words or fewer."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message.partition(', certificate')[0].rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'handshake failed').lower().replace('_', ' ')}"
    if isinstance(error, socket.gaierror):
        return f"name not found ({error.strerror})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return _short(error)


def _short(error: BaseException | None) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


# ------------------------------------------------------- step by step, for people at a prompt


class Exchange:
    """One connection for a few messages, without a will."""

    def __init__(self, account: Account) -> None:
        self._client = make_client(account)
        self._answer: list[str] = []
        self._answered = threading.Event()
        self._echo = threading.Event()
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self._answered.set()
        self._client.on_message = lambda *_: self._echo.set()
        self._client.connect(account.host, account.port)
        self._client.loop_start()

    def _on_connect(self, _: Any, __: Any, ___: Any, code: ReasonCode, *____: Any) -> None:
        self._answer.append(str(code).lower() if code.is_failure else "")
        self._answered.set()

    def login(self) -> str:
        """Why the broker refuses us; "" where it does not."""
        self._answered.wait(PROBE_TIMEOUT_S)
        return self._answer[0] if self._answer else "it does not answer"

    def publish(self, topic: str, payload: bytes, retain: bool) -> bool:
        """Whether the broker acknowledged it."""
        sent = self._client.publish(topic, payload, 1, retain)
        with contextlib.suppress(RuntimeError, ValueError):
            sent.wait_for_publish(PROBE_TIMEOUT_S)
        return sent.is_published()

    def echo(self, topic: str) -> bool:
        """Whether what we publish comes back: a broker acknowledges what it forbids, too."""

        def on_subscribe(*_: Any) -> None:
            self._client.publish(topic, b"echo", 1, False)

        self._client.on_subscribe = on_subscribe
        self._client.subscribe(topic, 1)
        return self._echo.wait(PROBE_TIMEOUT_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def probe(account: Account, topic: str) -> Iterator[tuple[str, str, str]]:
    """(step, what was found, why it failed or "") of DNS, TCP, TLS, login, publish.

    It ends with the first that fails. `topic`: of the message that is published.
    """
    host, port = account.host, account.port
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
        yield "DNS", f"{host} is {address}", ""
    except OSError as error:
        yield "DNS", host, explain(error)
        return
    try:
        connection = socket.create_connection((host, port), PROBE_TIMEOUT_S)
    except OSError as error:
        yield "TCP", str(account), explain(error)
        return
    with connection:
        yield "TCP", f"{account} accepts connections", ""
        if account.tls is not None:
            try:
                with account.tls.wrap_socket(connection, server_hostname=host) as secure:
                    yield "TLS", f"{secure.version()}, certificate of {host}", ""
            except OSError as error:
                yield "TLS", str(account), explain(error)
                return
    yield from _probe_login(account, topic)


def _probe_login(account: Account, topic: str) -> Iterator[tuple[str, str, str]]:
    who = account.user or "anonymous"
    try:
        exchange = Exchange(account)
    except OSError as error:
        yield "login", who, explain(error)
        return
    with contextlib.closing(exchange):
        refused = exchange.login()
        yield "login", who, refused
        if not refused:
            yield "publish", topic, "" if exchange.echo(topic) else "the broker forbids it"
