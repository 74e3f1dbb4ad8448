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
    received: list[bytes] = []
    loop.add_reader(reader, lambda: (received.append(os.read(reader, 1)), loop.stop()))
    loop.run()
    assert received == [b"x"]
    os.close(reader)
    os.close(writer)


def test_a_zeromq_socket_is_served(loop: Loop) -> None:
    context = zmq.Context.instance()
    with context.socket(zmq.PAIR) as here, context.socket(zmq.PAIR) as there:
        here.bind("inproc://loop-test")
        there.connect("inproc://loop-test")
        there.send(b"x")
        received: list[bytes] = []
        loop.add_reader(here, lambda: (received.append(here.recv()), loop.stop()))
        loop.run()
        assert received == [b"x"]


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


def test_once_stopped_the_other_readers_are_not_served(loop: Loop) -> None:
    served: list[int] = []
    pipes = [os.pipe() for _ in range(3)]
    for reader, writer in pipes:
        os.write(writer, b"x")
        loop.add_reader(reader, lambda reader=reader: (served.append(reader), loop.stop()))
    loop.run()
    assert len(served) == 1
    for end in (end for pipe in pipes for end in pipe):
        os.close(end)


def test_a_reader_that_another_one_removes_is_not_served(loop: Loop) -> None:
    served: list[int] = []
    pipes = [os.pipe() for _ in range(2)]
    (first, _), (second, _) = pipes
    for (reader, writer), other in zip(pipes, (second, first), strict=True):
        os.write(writer, b"x")
        loop.add_reader(
            reader, lambda reader=reader, other=other: (served.append(reader), remove(other))
        )

    def remove(reader: int) -> None:
        loop.remove_reader(reader)
        loop.call_later(0, loop.stop)

    loop.run()
    assert len(served) == 1
    for end in (end for pipe in pipes for end in pipe):
        os.close(end)


def test_once_stopped_the_other_timers_are_not_called(loop: Loop) -> None:
    called: list[int] = []
    for number in range(3):
        loop.call_later(0, lambda number=number: (called.append(number), loop.stop()))
    loop.run()
    assert called == [0]


def test_once_stopped_the_other_calls_are_not_made(loop: Loop) -> None:
    called: list[int] = []
    for number in range(3):
        loop.call_soon_threadsafe(lambda number=number: (called.append(number), loop.stop()))
    loop.run()
    assert called == [0]


def test_a_timer_that_is_cancelled_is_not_called(loop: Loop) -> None:
    loop.call_later(0.01, lambda: pytest.fail("called")).cancel()
    loop.call_later(0.03, loop.stop)
    loop.run()


def test_stop_handlers_are_called_in_order_after_the_last_handler(loop: Loop) -> None:
    called: list[str] = []
    for name in ("first", "second"):
        loop.on_stop(lambda name=name: called.append(name))
    loop.call_later(0, lambda: (loop.stop(), called.append("handler")))
    loop.run()
    assert called == ["handler", "first", "second"]
