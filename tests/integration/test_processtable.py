"""Who lives: a pid that never was, and a process whose threads end one after the other."""

from __future__ import annotations

import subprocess
import sys

import psutil

from conductor_git.processtable import identify, is_alive
from tests.kit.waiting import until

FIRST_THREAD_ENDS = """
import ctypes, sys, threading

def last():
    sys.stdin.readline()

threading.Thread(target=last).start()
print(flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_whose_first_thread_has_ended_is_alive_until_its_last_one_has() -> None:
    child = subprocess.Popen([sys.executable, "-c", FIRST_THREAD_ENDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        process = identify(child.pid)
        assert process is not None
        until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)

        assert is_alive(process)

        child.stdin.close()
        until(lambda: not is_alive(process))


def test_a_pid_that_never_was_is_nobody() -> None:
    assert identify(2**22 + 1) is None
    assert identify(-1) is None
