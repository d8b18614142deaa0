"""The command line: a table of commands. Options and their help live in :mod:`subarch.options` and nowhere else.

People read standard error; with ``--json`` exactly one JSON object goes to standard output. Exit status: 0 done,
2 wrong input, 1 a failure of the work, 130 interrupted (the run can be resumed by the same command), 141 nobody reads
the output any more. ``--debug``, anywhere, shows the traceback of a failure.

Heavy libraries are imported inside the commands, so that ``subarch --help`` answers at once.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import shlex
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout, suppress
from dataclasses import fields
from importlib import import_module
from typing import Annotated, Any, NoReturn, Union, cast

import tyro

from subarch import __version__, commands
from subarch.commands import options_class, performed
from subarch.errors import InputError, as_input, in_words
from subarch.options.overview import overview

DESCRIPTION = """Extract the best small network inside a real one, with a certificate of how far from optimal it can be.

Start with: subarch demo (no download), or: subarch compress --data reviews.csv --teacher ./my-bert --speedup 3

subarch --version tells which one this is. With --debug any command shows where it failed."""
DEBUG = "--debug"

_INTERRUPTED = "interrupted; everything finished is kept: the same command (with the same --run) goes on"
_BEGINS_ANEW = "interrupted; nothing is half-written: the same command begins anew"
_PATIENCE, _AT_ONCE = 4.0, 0.5  # seconds after the first Ctrl-C, and after a second one
_UNHEARD = 141  # as a shell tells of a program that a closed pipe has ended

Printed = tuple[dict[str, Any], int]
Handler = Callable[[Any, Any, str], Printed]
"""Options, the console, and the command as it was typed, to what ``--json`` prints and the exit status."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in given
    given = [word for word in given if word != DEBUG]
    try:
        with interruptible(_interrupted(given), to_the_end=arguments is None), _standard_output():
            status = _run(given, debug)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed from the start, as by >&-
                stream.flush()
    except BrokenPipeError:
        return _unheard()
    except KeyboardInterrupt:
        return _fail(_INTERRUPTED, 130)
    except OSError as error:  # of a stream: what the work itself came to is told below
        if debug:
            traceback.print_exc()
        return _unwritten(error.strerror or str(error))
    return status


def _run(given: list[str], debug: bool) -> int:
    if given == ["--version"]:
        sys.stdout.write(f"subarch {__version__}\n")
        return 0
    if given in (["--help"], ["-h"]):
        sys.stdout.write(overview(DESCRIPTION, {name: options_class(name) for name in commands.COMMANDS}))
        return 0
    try:
        options: Any = tyro.cli(Options, prog="subarch", description=DESCRIPTION, args=given)  # type: ignore[call-overload]
    except InputError as error:
        return _fail(str(error), 2)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    from subarch.storage import first_process
    from subarch.surroundings import home
    from subarch.telling import console

    speaks = first_process()
    show = console.Console(quiet=not speaks)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[show.handler()])
    try:
        home()  # before libraries are imported, which look for it
        logging.getLogger("subarch.rungs").setLevel(logging.INFO)  # what it finds is told before the end
        # What libraries and functions of the user's print is for people: standard output is for the one object.
        with show, redirect_stdout(sys.stderr):
            result, status = _handler(type(options))(options, show, "subarch " + shlex.join(given))
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return _fail(_interrupted(given), 130)
    except SystemExit as stop:  # of a family or an error function of the user's: never taken for this program's own
        if isinstance(stop.__context__, BrokenPipeError):  # this one is the console's
            raise stop.__context__ from None
        return _fail(f"the work failed: something that it called ended the program (exit {stop.code})", 1)
    except Exception as error:
        if debug:
            traceback.print_exc()
        wrong = error if isinstance(error, InputError) else as_input(error) if isinstance(error, OSError) else None
        if wrong is not None:
            return _fail(str(wrong), 2)
        told = in_words(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        return _fail(f"the work failed: {told}" + ("" if debug else f" ({DEBUG} shows where)"), 1)
    if options.json and speaks:
        sys.stdout.write(json.dumps(result, allow_nan=False) + "\n")
    return status


def _interrupted(given: Sequence[str]) -> str:
    """What Ctrl-C leaves behind: a run that goes on, or nothing."""
    options = next((options_class(word) for word in given if word in commands.COMMANDS), None)
    return _INTERRUPTED if options is None or "run" in {one.name for one in fields(options)} else _BEGINS_ANEW


def _fail(message: str, status: int) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"subarch: {message}\n")
    return status


class _Closed(io.TextIOBase):
    """Standard output that was closed from the start, as by ``>&-``, for which Python has no stream at all."""

    def write(self, text: str, /) -> int:
        del text
        raise OSError(errno.EBADF, "it is closed")


def _standard_output() -> AbstractContextManager[Any]:
    return redirect_stdout(cast("Any", _Closed())) if sys.stdout is None else nullcontext()


def _unwritten(reason: str) -> int:
    """What was to be said could not be; nor can it be at the end of the program, when streams are flushed again."""
    with suppress(OSError):
        _fail(f"standard output cannot be written: {reason}. What the work has made is on disk", 1)
    _let_go()
    return 1


def _unheard() -> int:
    """Whoever read the output has gone, as ``head`` does: nothing more is said, not even at the end of the program."""
    _let_go()
    return _UNHEARD


def _let_go() -> None:
    """Let streams that can no longer be written end in nothing."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)
        except (AttributeError, ValueError):  # closed from the start
            continue


@contextmanager
def interruptible(message: str, *, to_the_end: bool) -> Generator[None]:
    """Ctrl-C ends the program soon, whatever it is at: politely at first, after some seconds or a second time at once.

    Python sees a signal only between two of its own steps, and a library may not come back to it for minutes. So a
    thread of its own waits for it, too.

    Args:
        message: said where the program is ended here.
        to_the_end: of the program, whose last steps may hang as well, once Ctrl-C was pressed; else of this context.
    """
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN  # in the background of a script
    if ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    heard = threading.Event()

    def interrupt(*signalled: Any) -> None:
        del signalled
        if heard.is_set():
            _leave(message)
        heard.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    waking = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch_for_interrupts, args=(reading, message), daemon=True).start()
    try:
        yield
    finally:
        if not (to_the_end and heard.is_set()):
            signal.set_wakeup_fd(waking)
            signal.signal(signal.SIGINT, before)
            writing.close()


def _watch_for_interrupts(reading: socket.socket, message: str) -> None:
    """Leave when an interrupt has not ended the program in time; return when the other end of the socket is closed."""
    times, until = 0, None
    while True:
        reading.settimeout(None if until is None else max(0.001, until - time.monotonic()))
        try:
            received = reading.recv(64)
        except TimeoutError:
            _leave(message)
        else:
            if not received:
                return
            if pressed := received.count(signal.SIGINT):
                times += pressed
                until = time.monotonic() + (_PATIENCE if times == 1 else _AT_ONCE)


def _leave(message: str) -> NoReturn:
    """End the program as it is. Everything that is finished is on disk."""
    with suppress(Exception):
        _fail(message, 130)
        for child in import_module("multiprocessing").active_children():
            child.kill()
    os._exit(130)


def _job(name: str) -> Handler:
    """A command: its work, then what the console tells of the result."""

    def run(options: Any, show: Any, command: str) -> Printed:
        result = performed(name, options, watch=show.watch, command=command)
        show.tell(result)
        return result.to_json(), int(getattr(result, "accepted", True) is False)

    return run


COMMANDS: Mapping[str, tuple[type, Handler]] = {name: (options_class(name), _job(name)) for name in commands.COMMANDS}

Options: Any = Union[  # noqa: UP007 (of as many types as the table has)
    tuple(Annotated[options, tyro.conf.subcommand(name, prefix_name=False)] for name, (options, _) in COMMANDS.items())
]


def _handler(options: type) -> Handler:
    return next(handler for kind, handler in COMMANDS.values() if kind is options)


if __name__ == "__main__":
    sys.exit(main())
