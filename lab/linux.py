"""The Linux calls that make network namespaces; Python has them only since 3.12.

A namespace here lives only by an open file descriptor of this process: when it ends, however it ends,
everything vanishes. A socket stays in the namespace in which it was made, so one process holds them all.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000  # sched.h
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000  # mount.h
_TOOL_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
T = TypeVar("T")


class NamespaceError(Exception):
    """What this machine does not allow, in one line with its remedy."""


class MissingProgramError(NamespaceError):
    """A program that isn't installed; its remedy is in the line already."""


def call(name: str, *arguments: object) -> None:
    """Make a call of libc that returns 0.

    Raises:
        OSError: with the errno that it left.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


def isolate() -> bool:
    """Move this process to namespaces of its own: network, mounts and, without root's rights, users.

    Must be called while the process has a single thread.

    Returns:
        Whether a user namespace was needed.

    Raises:
        OSError: the kernel refused.
    """
    kinds = CLONE_NEWNET | CLONE_NEWNS
    if os.geteuid() == 0:
        try:
            call("unshare", kinds)
        except PermissionError:
            pass  # root of a container without CAP_SYS_ADMIN: a user namespace may still be allowed
        else:
            return False
    user, group = os.geteuid(), os.getegid()
    call("unshare", kinds | CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
    return True


def own_mounts(files: dict[str, str]) -> None:
    """Give this process's mount namespace its own content of some files; nothing outside sees it.

    Args:
        files: content by path; a path that doesn't exist is left out.

    Raises:
        OSError: the kernel refused.
    """
    call("mount", None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    for path, content in files.items():
        if not Path(path).exists():
            continue
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
            file.write(content)
            file.flush()
            Path(file.name).chmod(0o644)
            call("mount", file.name.encode(), path.encode(), None, ctypes.c_ulong(MS_BIND), None)
        # The mount keeps the file alive that has just lost its name.


def new_network() -> int:
    """Make a network namespace and return a descriptor that holds it."""

    def made() -> int:
        call("unshare", CLONE_NEWNET)
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    return in_thread(made)


def inside(network: int | None, work: Callable[[], T]) -> T:
    """Do something inside a network namespace; None is this process's own."""
    if network is None:
        return work()

    def moved() -> T:
        call("setns", network, CLONE_NEWNET)
        return work()

    return in_thread(moved)


def in_thread(work: Callable[[], T]) -> T:
    """Do something in a thread that is thrown away after: what it enters, it alone has entered."""
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def tool(name: str, package: str) -> str:
    """Return a program's path.

    Raises:
        MissingProgramError: it isn't installed; names the package.
    """
    path = shutil.which(name, path=_TOOL_PATH)
    if path is None:
        raise MissingProgramError(
            f"the program {name} is missing: install the package {package}, or use --network loopback"
        )
    return path


def feed(network: int | None, command: list[str], text: str) -> None:
    """Run a program inside a network namespace with a text on its stdin.

    Raises:
        NamespaceError: it failed; with what it said.
    """
    done = inside(
        network,
        lambda: subprocess.run(command, input=text.encode(), capture_output=True, check=False),  # noqa: S603
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:300]
        raise NamespaceError(f"{Path(command[0]).name} failed: {said}; 'python -m lab probe' tells why")


def says(error: OSError) -> str:
    """Return an error's name and text."""
    return f"{errno.errorcode.get(error.errno or 0, error.errno)} ({error.strerror})"
