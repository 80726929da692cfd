"""Running Python that a model wrote: another process, hard limits, no network where the kernel allows.

The program gets a fresh folder, an environment without anything of ours, the standard library only, and
limits on processor time, wall-clock time, memory, file size, open files and processes. On Linux it runs in
namespaces of its own (network, processes, mounts), if the kernel lets us make them, with an empty home
folder; started by root it runs as a user that owns nothing. Each result says which of these held.

What this does not protect against. It is no virtual machine, and no system call is forbidden: a fault in
the kernel is a way out. The program reads every file outside the home folder that its user can read, and
all of yours where `home_hidden` is false. Where `own_user` is false it also changes and deletes every such
file that you may, a checkout outside your home too, and opens the sockets in the file system that you may.
Limits on memory and files are for each process and each file, so a program may take `processes` times
`memory` bytes, and fill the disk with many files. Where `processes_contained` is false, a process that
leaves its group outlives the program, and may read the environment of your other processes, and end them.
Where root starts it and `own_user` is false, the number of processes has no limit but time. Should we be
killed, Linux ends the program at once; elsewhere it ends five seconds after its time.
For programs that are out to harm you, run all of this inside a container or a virtual machine.
"""

import json
import os
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

import anyio
import anyio.to_thread
from anyio.abc import ByteReceiveStream, Process

from gadfly.errors import InputError, ToolError
from gadfly.records import Record

_PYTHON = os.path.realpath(sys.executable)
_LAUNCHER = Path(__file__).with_name("launch.py")
_GRACE = 2.0
"""Seconds to wait for the last output of a process that has ended."""


class Ran(Record):
    """How a program ended."""

    exit: int | None
    """Exit status; below 0 the signal that ended it; None where we ended it for its time."""
    stdout: str
    """The beginning of its output."""
    stderr: str
    """The end of its error output."""
    timed_out: bool
    network_closed: bool
    """Whether it had no network at all."""
    processes_contained: bool
    """Whether it saw no other process, and none of its own outlived it."""
    own_user: bool
    """Whether it ran as a user that owns nothing: only where root started it."""
    home_hidden: bool
    """Whether your home folder was empty to it."""


@dataclass(frozen=True, kw_only=True)
class PythonSandbox:
    """Where programs run. Equal programs start equal: the hash seed is fixed, the folder empty."""

    seconds: float = 10.0
    """Wall-clock limit; waiting for a turn is not counted. The processor's limit is the same, rounded up."""
    memory: int = 1 << 30
    """Bytes of address space, of each process."""
    file_bytes: int = 16 << 20
    """Largest file it may write."""
    processes: int = 8
    """Most processes and threads at once. Where it runs as a user who has others, these count too."""
    open_files: int = 64
    output: int = 64 << 10
    """Bytes kept of each of its two outputs."""
    must_close_network: bool = False
    """Refuse to run where the network cannot be closed."""
    at_once: int = 4
    """Most programs under way."""
    _turns: anyio.Semaphore = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.seconds <= 0 or min(self.memory, self.file_bytes, self.processes, self.at_once) < 1:
            raise InputError("a sandbox needs limits above 0")
        object.__setattr__(self, "_turns", anyio.Semaphore(self.at_once))

    async def run(self, program: str, *, stdin: str = "") -> Ran:
        """Run a program from its text and wait for its end.

        Raises:
            ToolError: it could not be started, or the network had to be closed and could not be.
        """
        if sys.platform == "win32":
            raise ToolError("the Python sandbox needs Linux or macOS")
        async with self._turns:
            folder = await anyio.to_thread.run_sync(_folder)
            try:
                (folder / "program.py").write_bytes(program.encode("utf-8", "replace"))
                (folder / "program.py").chmod(0o644)
                return await self._launch(folder, stdin.encode("utf-8", "replace"))
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(lambda: rmtree(folder, ignore_errors=True))

    async def _launch(self, folder: Path, stdin: bytes) -> Ran:
        listen, speak = os.pipe()
        try:
            try:
                process = await self._open(folder, speak)
            finally:
                os.close(speak)
            try:
                timed_out, stdout, stderr = await self._follow(process, stdin)
            finally:
                with anyio.CancelScope(shield=True):
                    _kill(process)
                    await process.wait()
                    await process.aclose()
            os.set_blocking(listen, False)
            # The folder's name differs from run to run; what a program says must not.
            texts = [text.decode(errors="replace").replace(f"{folder}/", "") for text in (stdout, stderr)]
            return self._result(_read(listen), *texts, timed_out=timed_out)
        finally:
            os.close(listen)

    async def _open(self, folder: Path, speak: int) -> Process:
        limits = {
            "CPU": int(self.seconds) + 1,
            "AS": self.memory,
            "FSIZE": self.file_bytes,
            "NOFILE": self.open_files,
            # The two processes of the launcher may count as well.
            "NPROC": self.processes + 2,
            "CORE": 0,
        }
        settings = json.dumps(
            {
                "limits": limits,
                "must_close_network": self.must_close_network,
                # We end it before that, unless we are gone.
                "seconds": int(self.seconds) + 5,
            }
        )
        program = [_PYTHON, "-s", "-S", "-P", "-B", "-X", "utf8", "program.py"]
        try:
            return await anyio.open_process(
                [_PYTHON, "-I", "-S", str(_LAUNCHER), str(speak), settings, *program],
                cwd=folder,
                env={},
                start_new_session=True,
                pass_fds=(speak,),
            )
        except OSError as error:
            raise ToolError(f"cannot start {_PYTHON}: {error.strerror}") from error

    async def _follow(self, process: Process, stdin: bytes) -> tuple[bool, bytes, bytes]:
        """Feed and drain the process until its end or ours."""
        assert process.stdin
        assert process.stdout
        assert process.stderr
        out, err = bytearray(), bytearray()
        drained = [anyio.Event(), anyio.Event()]
        limit = anyio.CancelScope(deadline=anyio.current_time() + self.seconds)
        async with anyio.create_task_group() as group:
            group.start_soon(self._drain, process.stdout, out, drained[0], True)
            group.start_soon(self._drain, process.stderr, err, drained[1], False)
            with limit:
                with suppress(anyio.BrokenResourceError, OSError):
                    await process.stdin.send(stdin)
                    await process.stdin.aclose()
                await process.wait()
            _kill(process)
            with anyio.move_on_after(_GRACE):
                for event in drained:
                    await event.wait()
            group.cancel_scope.cancel()
        return limit.cancelled_caught, bytes(out), bytes(err)

    async def _drain(
        self, stream: ByteReceiveStream, kept: bytearray, done: anyio.Event, beginning: bool
    ) -> None:
        """Read to the end, so that the program never waits for us; keep one end of it."""
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for chunk in stream:
                kept += chunk
                if len(kept) > self.output:
                    del kept[slice(self.output, None) if beginning else slice(len(kept) - self.output)]
        done.set()

    def _result(self, report: dict[str, object], stdout: str, stderr: str, *, timed_out: bool) -> Ran:
        if not report:
            raise ToolError(f"the sandbox did not start: {stderr[-300:]}")
        if self.must_close_network and not report["network_closed"]:
            raise ToolError("this machine does not let a program be cut off from the network")
        if "home_hidden" not in report and not timed_out:
            raise ToolError(f"the sandbox ended before the program began: {stderr[-300:]}")
        ended = report.get("exit")
        return Ran(
            exit=ended if isinstance(ended, int) else None,
            stdout=stdout,
            stderr=stderr,
            # The kernel's processor limit ends a busy program at about the same time as we do.
            timed_out=timed_out or ended == -signal.SIGXCPU,
            network_closed=bool(report["network_closed"]),
            processes_contained=bool(report["processes_contained"]),
            own_user=bool(report.get("own_user")),
            home_hidden=bool(report.get("home_hidden")),
        )


def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="gadfly-")).resolve()


def _kill(process: Process) -> None:
    """End the whole group; the launcher's death ends what has left the group, where it is contained."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _read(listen: int) -> dict[str, object]:
    found: dict[str, object] = {}
    with suppress(BlockingIOError):
        for line in os.read(listen, 4096).splitlines():
            found |= json.loads(line)
    return found
