import os
import signal
import threading

import pytest
import zmq

from edge.runtime.loop import Loop


@pytest.fixture
def loop():
    loop = Loop()
    loop.call_later(10, lambda: pytest.fail("the loop did not stop"))
    yield loop
    loop.close()


def test_a_descriptor_that_can_be_read_is_served(loop: Loop) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")
    heard: list[bytes] = []
    loop.add_reader(reader, lambda: (heard.append(os.read(reader, 1)), loop.stop()))
    loop.run()
    assert heard == [b"x"]
    os.close(reader)
    os.close(writer)


def test_a_zeromq_socket_is_served(loop: Loop) -> None:
    context = zmq.Context.instance()
    with context.socket(zmq.PAIR) as here, context.socket(zmq.PAIR) as there:
        here.bind("inproc://loop-test")
        there.connect("inproc://loop-test")
        there.send(b"x")
        heard: list[bytes] = []
        loop.add_reader(here, lambda: (heard.append(here.recv()), loop.stop()))
        loop.run()
        assert heard == [b"x"]


def test_what_is_no_longer_watched_is_not_served(loop: Loop) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")
    loop.add_reader(reader, lambda: pytest.fail("served"))
    loop.remove_reader(reader)
    loop.call_later(0.05, loop.stop)
    loop.run()
    os.close(reader)
    os.close(writer)


def test_timers_come_in_the_order_of_their_time(loop: Loop) -> None:
    order: list[str] = []
    loop.call_later(0.03, lambda: (order.append("second"), loop.stop()))
    loop.call_later(0.01, lambda: order.append("first"))
    loop.run()
    assert order == ["first", "second"]


def test_a_repeated_timer_goes_on_until_it_is_cancelled(loop: Loop) -> None:
    turns: list[int] = []

    def turn() -> None:
        turns.append(len(turns))
        if len(turns) == 3:
            timer.cancel()
            loop.call_later(0.05, loop.stop)

    timer = loop.call_every(0.01, turn)
    loop.run()
    assert turns == [0, 1, 2]


def test_a_call_from_another_thread_is_made_on_the_loops_own(loop: Loop) -> None:
    callers: list[int] = []

    def call() -> None:
        callers.append(threading.get_ident())
        loop.stop()

    thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(call))
    thread.start()
    loop.run()
    thread.join()
    assert callers == [threading.get_ident()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_loop(loop: Loop, number: signal.Signals) -> None:
    loop.stop_on_signals()
    loop.call_later(0.01, lambda: os.kill(os.getpid(), number))
    loop.run()


def test_what_a_handler_raises_escapes(loop: Loop) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    loop.call_later(0.01, fail)
    with pytest.raises(ZeroDivisionError):
        loop.run()
