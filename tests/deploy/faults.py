"""Faults as they happen, made on purpose."""

import contextlib
import ctypes
import os
import pathlib

import support

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000  # waitpid: threads, too

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}: {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def thread_held(pid, name):
    """Holds one thread of a child process where it is, as a page that never comes would, while all others go on."""
    [thread] = [int(task.name) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
                if (task / "comm").read_text().strip() == name]
    ptrace(PTRACE_SEIZE, thread)
    try:
        ptrace(PTRACE_INTERRUPT, thread)
        os.waitpid(thread, WALL)
        yield
    finally:
        ptrace(PTRACE_DETACH, thread)


class Clients(support.Threads):
    """So many clients that ask all the time, each again as soon as it is answered, or after `pause` once it is refused."""

    def __init__(self, count, ask, pause=0.5):
        super().__init__([lambda stop: self._run(stop, ask, pause)] * count)

    def _run(self, stop, ask, pause):
        while not stop.is_set():
            try:
                refused = ask().status != 200
            except OSError:
                refused = True  # the server is being started anew
            if refused:
                stop.wait(pause)
