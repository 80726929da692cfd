"""Programs in the Python sandbox: what they may do, what ends them, what they cannot see."""

import os
import socket
import sys
import textwrap
import time
from pathlib import Path

import anyio
import pytest

from gadfly.errors import InputError, ToolError
from gadfly.sandbox.python import PythonSandbox, Ran

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")]

HERE = PythonSandbox(seconds=20)
SHORT = PythonSandbox(seconds=0.7)


async def ran(program: str, sandbox: PythonSandbox = HERE, stdin: str = "") -> Ran:
    return await sandbox.run(textwrap.dedent(program), stdin=stdin)


async def test_a_program_reads_its_input_and_says_what_it_says() -> None:
    said = await ran(
        "import sys\nprint(sys.stdin.read().upper())\nprint('aside', file=sys.stderr)", stdin="hé"
    )
    assert (said.exit, said.stdout, said.stderr, said.timed_out) == (0, "HÉ\n", "aside\n", False)


async def test_an_error_is_an_exit_status_and_its_end_does_not_name_our_folders() -> None:
    said = await ran("1 / 0")
    assert said.exit == 1
    assert "ZeroDivisionError" in said.stderr
    assert 'File "program.py", line 1' in said.stderr


async def test_equal_programs_say_equal_things() -> None:
    program = "print({'a', 'b', 'c', 'd', 'e'}, sorted(__import__('os').listdir()))"
    first, second = await ran(program), await ran(program)
    assert first == second
    assert "['program.py']" in first.stdout


async def test_an_endless_loop_is_stopped_for_its_time() -> None:
    start = time.monotonic()
    said = await ran("print('before', flush=True)\nwhile True: pass", SHORT)
    assert said.timed_out
    assert said.exit is None
    assert said.stdout == "before\n"
    assert time.monotonic() - start < 10


async def test_a_program_that_only_waits_is_stopped_too() -> None:
    said = await ran("import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(60)", SHORT)
    assert said.timed_out


async def test_a_fork_bomb_is_bounded() -> None:
    said = await ran(
        """
        import os, time
        made = 0
        try:
            while made < 300:
                if os.fork() == 0:
                    time.sleep(30)
                    os._exit(0)
                made += 1
        except OSError:
            pass
        print(made)
        """
    )
    assert said.exit == 0
    if said.own_user or (os.getuid() and said.processes_contained):
        assert int(said.stdout) <= HERE.processes + 2
    if said.processes_contained:
        assert not processes_with("time.sleep(30)")


async def test_more_memory_than_allowed_is_refused() -> None:
    said = await ran("bytearray(1 << 30)", PythonSandbox(memory=256 << 20, seconds=20))
    assert said.exit == 1
    assert "MemoryError" in said.stderr


async def test_a_file_beyond_the_limit_cannot_be_written() -> None:
    program = "with open('big', 'wb', buffering=0) as f:\n    while True: f.write(bytes(1 << 16))"
    said = await ran(program, PythonSandbox(file_bytes=1 << 20, seconds=20))
    assert said.exit == 1
    assert "File too large" in said.stderr


async def test_no_secret_of_the_environment_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "hunter2")
    said = await ran("import os\nprint(sorted(os.environ), 'hunter2' in str(os.environ))")
    assert "SOME_API_KEY" not in said.stdout
    assert said.stdout.endswith("False\n")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
async def test_no_process_of_ours_can_be_read() -> None:
    said = await ran(
        """
        import glob
        for file in glob.glob("/proc/[0-9]*/environ"):
            try:
                names = [pair.partition(b"=")[0] for pair in open(file, "rb").read().split(bytes(1))]
            except OSError:
                continue
            print(file, b"PATH" in names)
        """
    )
    assert said.exit == 0
    if said.processes_contained or said.own_user:
        assert "True" not in said.stdout


async def test_our_home_is_empty_to_it_where_that_is_said() -> None:
    said = await ran(
        "import os, pwd\nprint(os.listdir(pwd.getpwuid(int(input())).pw_dir))", stdin=str(os.getuid())
    )
    if said.home_hidden:
        kept = {part.name for part in Path(sys.base_prefix).parents} | {Path(sys.base_prefix).name}
        assert said.exit == 0
        assert set(eval(said.stdout)) <= kept
    else:
        assert said.exit is not None


async def test_there_is_no_network_where_it_is_said_to_be_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = await ran(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)\nprint('in')")
    assert (said.stdout == "in\n") is not said.network_closed


async def test_where_the_network_must_be_closed_an_open_one_is_refused() -> None:
    sandbox = PythonSandbox(must_close_network=True)
    if (await ran("print(1)")).network_closed:
        assert (await ran("print(1)", sandbox)).stdout == "1\n"
    else:
        with pytest.raises(ToolError, match="network"):
            await ran("print(1)", sandbox)


async def test_only_so_much_output_is_kept_the_beginning_of_one_and_the_end_of_the_other() -> None:
    program = "import sys\nprint('a' + 'x' * 10_000_000)\nsys.stderr.write('x' * 10_000_000 + 'z')"
    said = await ran(program, PythonSandbox(output=1000, seconds=20))
    assert said.exit == 0
    assert (len(said.stdout), said.stdout[0]) == (1000, "a")
    assert (len(said.stderr), said.stderr[-1]) == (1000, "z")


async def test_a_process_left_behind_does_not_keep_us_waiting() -> None:
    start = time.monotonic()
    said = await ran("import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\nprint('bye')")
    assert said.stdout == "bye\n"
    assert time.monotonic() - start < 15


def processes_with(text: str) -> list[str]:
    found: list[str] = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in file.read_bytes():
                found.append(file.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
async def test_cancelling_ends_the_program() -> None:
    sandbox = PythonSandbox(seconds=60, memory=987_654_321)
    with anyio.move_on_after(0.7) as scope:
        await sandbox.run("while True: pass")
    assert scope.cancelled_caught
    assert not processes_with("987654321")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells a process of its parent's end")
async def test_killing_us_ends_the_program_too() -> None:
    code = (
        "import anyio; from gadfly.sandbox.python import PythonSandbox as S; print('go', flush=True); "
        "anyio.run(S(seconds=60, memory=876_543_210).run, 'import time; time.sleep(60)')"
    )
    async with await anyio.open_process([sys.executable, "-c", code]) as process:
        with anyio.fail_after(30):
            while not processes_with("876543210"):  # noqa: ASYNC110
                await anyio.sleep(0.05)
            await anyio.sleep(0.2)
            process.kill()
            await process.wait()
            while processes_with("876543210"):  # noqa: ASYNC110
                await anyio.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
async def test_the_program_does_not_inherit_the_channel_on_which_its_end_is_reported() -> None:
    said = await ran(
        "import os\nfor n in range(3, 64):\n    try: print(os.write(n, b'x'))\n    except OSError: pass"
    )
    assert (said.exit, said.stdout) == (0, "")


async def test_only_so_many_programs_run_at_once_and_waiting_costs_no_time() -> None:
    sandbox = PythonSandbox(seconds=1.6, at_once=1)
    results: list[Ran] = []

    async def one() -> None:
        results.append(await sandbox.run("import time\ntime.sleep(0.6)"))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(one)
    assert [said.timed_out for said in results] == [False] * 3


def test_limits_below_one_are_refused() -> None:
    with pytest.raises(InputError, match="above 0"):
        PythonSandbox(memory=0)
