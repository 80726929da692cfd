"""Closes a process in before it runs what a model wrote. Run by path, with the standard library only.

`launch.py REPORT SETTINGS COMMAND...` opens fresh namespaces where the kernel allows it, empties the home
folder, sets the limits, becomes a user that owns nothing where it may, and runs the command. What held,
and how the command ended, goes as JSON lines to the file descriptor REPORT, which the command does not
inherit.
"""

import ctypes
import json
import os
import pwd
import resource
import signal
import stat
import sys
from collections.abc import Mapping

_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x08000000, 0x10000000, 0x20000000, 0x40000000
_BIND, _REC, _PRIVATE, _HARMLESS = 4096, 16384, 1 << 18, 2 | 4 | 8
_PDEATHSIG, _NO_NEW_PRIVS = 1, 38
_FIRST_USER = 2_000_000
"""Users are numbered by the launcher's process from here on, so that two programs at once share none."""


def main(arguments: list[str]) -> int:
    """Run the command and wait for it. 0 where it could be started, 3 where the network stayed open."""
    report, settings, command = int(arguments[0]), json.loads(arguments[1]), arguments[2:]
    os.set_inheritable(report, False)
    _end_in(settings["seconds"])
    held = _separate()
    _die_with_parent()  # after what gives or takes privileges: that would undo it
    _tell(report, {"network_closed": bool(held & _NEWNET), "processes_contained": bool(held & _NEWPID)})
    if settings["must_close_network"] and not held & _NEWNET:
        return 3
    number = os.getpid()
    # The first process of the namespace: when it ends, the kernel ends all others.
    first = os.fork()
    if first == 0:
        _die_with_parent()
        hidden = bool(held & _NEWNS) and _hide_files()
        user = _stranger(command[0], number)
        _tell(report, {"home_hidden": hidden, "own_user": user is not None})
        os._exit(_watch(report, settings["limits"], command, user))
    os.waitpid(first, 0)
    return 0


def _watch(report: int, limits: Mapping[str, int], command: list[str], user: int | None) -> int:
    parent = os.getpid()
    program = os.fork()
    if program == 0:
        _run(limits, command, user, parent)
    while True:
        ended, status = os.wait()
        if ended == program:
            _tell(report, {"exit": os.waitstatus_to_exitcode(status)})
            return 0


def _run(limits: Mapping[str, int], command: list[str], user: int | None, parent: int) -> None:
    try:
        if user is not None:
            os.chown(".", user, user)
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        _prctl(_NO_NEW_PRIVS)
        _die_with_parent()
        if os.getppid() != parent:
            os._exit(127)
        for name, most in limits.items():
            kind = getattr(resource, f"RLIMIT_{name}", None)
            if kind is not None:
                _limit(kind, most)
        os.execve(command[0], command, {"PYTHONHASHSEED": "0"})
    except OSError as error:
        os.write(2, f"cannot start: {error}\n".encode())
    os._exit(127)


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    hard = sys.maxsize if hard == resource.RLIM_INFINITY else hard
    most = min(most, hard)
    try:
        # Out of processor time, a program is told by a signal of its own first.
        resource.setrlimit(kind, (most, min(most + 1, hard) if kind == resource.RLIMIT_CPU else most))
    except (ValueError, OSError):
        if kind != getattr(resource, "RLIMIT_AS", None):  # which macOS has and refuses
            raise


def _separate() -> int:
    """Leave network, processes and mounts behind; the flags of what the kernel allowed."""
    apart = _NEWNET | _NEWPID | _NEWIPC
    for flags in (apart | _NEWNS, apart, _NEWNET):
        for privilege in (0, _NEWUSER):
            if _unshare(flags | privilege):
                return flags
    return 0


def _unshare(flags: int) -> bool:
    user, group = os.getuid(), os.getgid()
    unshare = getattr(ctypes.CDLL(None, use_errno=True), "unshare", None)
    if unshare is None or unshare(flags) != 0:
        return False
    if flags & _NEWUSER:
        # The same user under the same number: running the command then drops every capability.
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            try:
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(text)
            except OSError:
                continue  # the program is nobody instead
    return True


def _hide_files() -> bool:
    """An empty home folder, but for the interpreter and the program; and a list of our own processes only."""
    os.umask(0o022)
    if not _mount("none", "/", "", _REC | _PRIVATE):
        return False
    _mount("proc", "/proc", "proc", _HARMLESS)
    try:
        home = os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir)
        kept = [path for path in (sys.base_prefix, os.getcwd()) if path.startswith(f"{home}/")]
        handles = [os.open(path, os.O_PATH) for path in kept]
        if home == "/" or not _mount("none", home, "tmpfs", _HARMLESS & ~8, "size=1m,mode=755"):
            return False
        for path, handle in zip(kept, handles, strict=True):
            os.makedirs(path)
            if not _mount(f"/proc/self/fd/{handle}", path, "", _BIND | _REC):
                raise OSError(f"cannot keep {path}")
            os.close(handle)
    except KeyError:
        return False  # a user without a home
    return True


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> bool:
    mount = ctypes.CDLL(None, use_errno=True).mount
    words = [text.encode() for text in (source, target, kind)]
    return mount(*words, ctypes.c_ulong(flags), options.encode()) == 0


def _stranger(interpreter: str, number: int) -> int | None:
    """A user that owns nothing, for root to become; None where we are not root, or it could run nothing."""
    if os.getuid() != 0 or not all(map(_readable_by_all, (interpreter, os.__file__))):
        return None
    return _FIRST_USER + number


def _readable_by_all(path: str) -> bool:
    if not os.stat(path).st_mode & stat.S_IROTH:
        return False
    folder = os.path.dirname(os.path.realpath(path))
    while os.stat(folder).st_mode & stat.S_IXOTH:
        above = os.path.dirname(folder)
        if above == folder:
            return True
        folder = above
    return False


def _end_in(seconds: int) -> None:
    """Whatever becomes of who started us, the whole group is gone by then."""
    signal.signal(signal.SIGALRM, _end_group)
    signal.alarm(seconds)


def _end_group(number: int, frame: object) -> None:
    os.killpg(0, signal.SIGKILL)


def _die_with_parent() -> None:
    _prctl(_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int = 1) -> None:
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(option, value, 0, 0, 0)


def _tell(report: int, line: object) -> None:
    os.write(report, json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
