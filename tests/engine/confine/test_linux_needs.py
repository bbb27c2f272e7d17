"""What the engine needs after confinement still works, in the engine and in a fork of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from confined import Confined

NEEDS: dict[str, tuple[str, object]] = {
    "a new lua state": (
        'result = lua54.LuaRuntime(encoding=None).eval(b\'select("#", string.byte("abc", 1, -1))\')',
        3,
    ),
    "lua memory": (
        "result = lua54.LuaRuntime(encoding=None).eval(b'#string.rep(\"x\", 10000000)')",
        10_000_000,
    ),
    "lua at its memory limit": (
        """
lua = lua54.LuaRuntime(encoding=None, max_memory=1 << 22)
try:
    lua.execute(b"local t = {} while true do t[#t + 1] = string.rep('x', 1000) .. #t end")
except MemoryError as error:
    result = "memory"
""",
        "memory",
    ),
    "lua clock and date": (
        'result = lua54.LuaRuntime(encoding=None).eval(b\'os.date("%Y") > "2000" and os.clock() >= 0\')',
        True,
    ),
    "stopping lua from another thread": (
        """
lua = lua54.LuaRuntime(encoding=None)
main = int(lua.eval(b"string.format('%p', coroutine.running())"), 16)
def stop():
    time.sleep(0.02)
    lua_api.lua_sethook(ctypes.c_void_p(main), ctypes.cast(lua_api.luaL_error, ctypes.c_void_p), 8, 1)
threading.Thread(target=stop).start()
try:
    lua.execute(b'while true do end')
except lua54.LuaError:
    result = 'stopped'
""",
        "stopped",
    ),
    "a C callback made before": (
        "result = ctypes.cast(callback, ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int))(41)",
        42,
    ),
    "msgspec": (
        "result = msgspec.msgpack.decode(msgspec.msgpack.encode({'a': [1, 2.5, b'x'.decode(), None]}))",
        {"a": [1, 2.5, "x", None]},
    ),
    "threads": (
        """
result = []
threads = [threading.Thread(target=result.append, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
result.sort()
""",
        list(range(8)),
    ),
    "a fork with a thread, forked again": (
        """
pid = os.fork()
if pid == 0:
    inner = os.fork()
    if inner == 0:
        thread = threading.Thread(target=time.sleep, args=(0.01,))
        thread.start()
        thread.join()
        os._exit(7)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]))
result = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
""",
        7,
    ),
    "descriptors over a socket": (
        """
here, there = socket.socketpair()
reading, writing = os.pipe()
socket.send_fds(here, [b'take'], [writing])
message, descriptors, _, _ = socket.recv_fds(there, 16, 4)
os.write(descriptors[0], b'through it')
result = [message.decode(), os.read(reading, 16).decode()]
""",
        ["take", "through it"],
    ),
    "a socket from a descriptor": (
        """
here, there = socket.socketpair()
again = socket.socket(fileno=os.dup(here.fileno()))
again.setblocking(False)
try:
    again.recv(1)
except BlockingIOError:
    again.settimeout(1)
    there.sendall(b'abc')
    result = again.recv(3, socket.MSG_WAITALL).decode()
""",
        "abc",
    ),
    "a large message": (
        """
here, there = socket.socketpair()
thread = threading.Thread(target=here.sendall, args=(bytes(5_000_000),))
thread.start()
left = 5_000_000
while left:
    left -= len(there.recv(1 << 18))
thread.join()
result = left
""",
        0,
    ),
    "waiting": (
        """
here, there = socket.socketpair()
poll = select.poll()
poll.register(here)
epoll = select.epoll()
epoll.register(here.fileno(), select.EPOLLIN)
result = [len(select.select([here], [], [], 0.01)[0]), len(poll.poll(10)), len(epoll.poll(0.01))]
""",
        [0, 1, 0],
    ),
    "time": (
        """
began = time.monotonic()
time.sleep(0.01)
result = time.monotonic() > began and time.localtime().tm_year > 2000 and time.time() > 0
""",
        True,
    ),
    "a traceback with an unreadable source": (
        """
try:
    exec(compile('1 / 0', '/etc/hostname', 'exec'))
except ZeroDivisionError:
    result = 'ZeroDivisionError' in traceback.format_exc()
""",
        True,
    ),
    "randomness": ("result = len(os.urandom(16))", 16),
    "much memory, given back": (
        "for _ in range(50): block = bytearray(16 << 20); del block\nresult = 'done'",
        "done",
    ),
    "an accidental open is an exception": (
        "try: open('/etc/hostname')\nexcept PermissionError as error: result = error.errno",
        1,
    ),
    "an accidental import is an exception": (
        "try: import wave\nexcept (ImportError, PermissionError): result = 'an exception'",
        "an exception",
    ),
    "the death signal, set again": ("result = call('prctl', 1, 9, 0, 0, 0)", 0),
    "a thread's name": ("result = call('prctl', 15, b'lua', 0, 0, 0)", 0),
    "signal handlers": ("result = signal.signal(signal.SIGUSR1, signal.SIG_IGN) is signal.SIG_DFL", True),
}


@pytest.mark.parametrize("name", NEEDS)
def test_still_works(name: str, confined: Confined) -> None:
    source, expected = NEEDS[name]
    assert confined.run(source) == expected


def test_it_costs_little(confined: Confined) -> None:
    assert confined.milliseconds < 50  # 2.5 to 4 ms measured; the rest is for a busy machine
