"""Random hostile Lua, by a grammar, through a session; run it by hand for as long as you like:

python tests/sandbox/fuzzing.py --seconds 600 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmspell_kernel.config import Settings
from llmspell_kernel.errors import SpellError
from llmspell_kernel.session.outcome import Succeeded
from llmspell_kernel.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = {
    "LLMSPELL_TIME_LIMIT": "0.2",
    "LLMSPELL_GRACE": "0.3",
    "LLMSPELL_MEMORY_LIMIT": "134217728",
    "LLMSPELL_OUTPUT_LIMIT": "65536",
    "LLMSPELL_COROUTINES_LIMIT": "5000",
    "LLMSPELL_VALUE_BYTES_LIMIT": "1048576",
}
PATIENCE = 30.0
"""Seconds within which everything must answer, on a busy machine."""

PLANTED = "planted = {n = 41} local hidden = 7 function planted.reveal() return hidden end"
HOLDS = "return planted.n == 41 and planted.reveal() == 7"

_LIBRARY = """
string.rep string.find string.gsub string.match string.gmatch string.format string.pack string.unpack string.byte
string.char string.sub string.len string.reverse string.upper table.concat table.insert table.remove table.sort
table.unpack table.pack table.move math.floor math.random math.tointeger math.max math.fmod utf8.char utf8.codepoint
utf8.len utf8.offset os.time os.date os.clock os.difftime os.getenv tostring tonumber type rawget rawset rawlen
rawequal select next pairs ipairs getmetatable setmetatable pcall xpcall error assert load require collectgarbage print
io.write display coroutine.create coroutine.wrap coroutine.resume coroutine.yield coroutine.close coroutine.status
coroutine.isyieldable coroutine.running async async.sleep async.await async.yield channel.make promise.new promise.all
promise.race llm.chat llm.models tools.register tools.execute agent.create json.encode json.decode data.clone
"""
LIBRARY = _LIBRARY.split()
_NUMBERS = """
0 1 -1 2 3 7 100 1e5 1e9 1e308 -0.0 0.5 1/0 -1/0 0/0 math.maxinteger math.mininteger 2^53 2^63 255 65536
"""
NUMBERS = _NUMBERS.split()
STRINGS = [
    '""', '"x"', '"\\0"', '"\\xff\\xfe"', '("x"):rep(1000)', '("ab"):rep(100000)', '"%s%d%q"', '".-.-.-b"', '"%b()"',
    '"[[["', '"return 1"', '"while true do end"', '"\\27Lua"', '"é漢"', '"__index"', '"i4"', '"!99s"', '"<script>"',
    '"\\27[31m"', '"*t"', '"collect"', '"%f[%w]%w+"', '("("):rep(500)', '"a"..1',
]  # fmt: skip
_EVENTS = """
__index __newindex __call __add __concat __eq __lt __le __len __unm __close __gc __mode __name __tostring __pairs
__metatable __band __idiv
"""
EVENTS = _EVENTS.split()
_OPERATORS = "+ - * / // % ^ .. == ~= < <= > >= & | ~ << >> and or"
OPERATORS = _OPERATORS.split()
BOUNDS = ["3", "10", "1000", "1e6", "math.huge"]


@dataclass
class Page:
    """A surface that keeps what a cell showed. Nobody answers questions."""

    text: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)

    def stream(self, name: str, text: str) -> None:
        if len(self.text) < 2_000_000:
            self.text += text

    def display(
        self, bundle: dict[str, Any], metadata: dict[str, Any], display_id: str | None, update: bool
    ) -> None:
        if len(self.shown) < 5_000:
            self.shown.append(bundle)

    def clear(self, wait: bool) -> None:
        pass

    async def ask(self, prompt: str, password: bool) -> str:
        raise SpellError("nobody answers here")


class Grammar:
    """Makes one random program after the other."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self._statements: list[Callable[[int], str]] = [
            self._assign, self._assign, self._call, self._call, self._call, self._loop, self._if, self._function,
            self._protected, self._protected, self._coroutine, self._closing, self._metatable, self._metatable,
            self._goto, self._poison, self._task, self._raise,
        ]  # fmt: skip
        self._expressions: list[Callable[[int], str]] = [
            self._leaf, self._leaf, self._table, self._binary, self._lambda, self._value_call, self._indexed,
        ]  # fmt: skip

    def program(self) -> str:
        """A cell."""
        pieces = [self.block(4, 2) for _ in range(self.chance.randint(1, 5))]
        if self.chance.random() < 0.7:  # so that not everything ends with the first error
            pieces = [f"pcall(function() {piece}\nend)" for piece in pieces]
        body = "\n".join(pieces)
        if self.chance.random() < 0.5:
            body += f"\nreturn {self.expression(3)}, {self.expression(2)}"
        if self.chance.random() < 0.08:  # torn
            body = body[: self.chance.randrange(len(body) + 1)]
        return body

    def block(self, depth: int, most: int = 3) -> str:
        """Statements."""
        return "\n".join(
            self.chance.choice(self._statements)(depth - 1) for _ in range(self.chance.randint(1, most))
        )

    def expression(self, depth: int) -> str:
        """A value."""
        return self._leaf(0) if depth <= 0 else self.chance.choice(self._expressions)(depth - 1)

    def _name(self) -> str:
        return f"g{self.chance.randint(1, 9)}"

    def _leaf(self, _depth: int) -> str:
        pick = self.chance.random()
        if pick < 0.3:
            return self._name()
        if pick < 0.55:
            return self.chance.choice(NUMBERS)
        if pick < 0.8:
            return f"({self.chance.choice(STRINGS)})"
        return self.chance.choice(["nil", "true", "false", "{}", *LIBRARY])

    def _table(self, depth: int) -> str:
        fields = [
            self.chance.choice(
                [
                    self.expression(depth),
                    f"[{self.expression(depth)} or 1] = {self.expression(depth)}",
                    f"x = {self.expression(depth)}",
                ]
            )
            for _ in range(self.chance.randint(0, 4))
        ]
        return f"{{{', '.join(fields)}}}"

    def _binary(self, depth: int) -> str:
        return f"({self.expression(depth)} {self.chance.choice(OPERATORS)} {self.expression(depth)})"

    def _lambda(self, depth: int) -> str:
        return f"function(...) {self.block(depth, 2)} return {self.expression(depth)}, ... end"

    def _arguments(self, depth: int) -> str:
        return ", ".join(self.expression(depth) for _ in range(self.chance.randint(0, 4)))

    def _value_call(self, depth: int) -> str:
        called = self.chance.choice([*LIBRARY, *LIBRARY, self._name()])
        return f"{called}({self._arguments(depth)})"

    def _indexed(self, depth: int) -> str:
        return f"({self.expression(depth)})[{self.expression(depth)}]"

    def _assign(self, depth: int) -> str:
        kind = self.chance.choice(["", "", "local "])
        return f"{kind}{self._name()} = {self.expression(depth)}"

    def _call(self, depth: int) -> str:
        return f";{self._value_call(depth)}"

    def _loop(self, depth: int) -> str:
        body = self.block(depth, 2) if depth > 0 else ""
        head = self.chance.choice(
            [
                f"for i = 1, {self.chance.choice(BOUNDS)} do",
                "while true do",
                f"while {self.expression(depth)} do",
                f"for k, v in pairs({self.expression(depth)}) do",
                f"for w in {self.expression(depth)} do",
            ]
        )
        leave = self.chance.choice(["", "", "if math.random() < 0.2 then break end"])
        return f"{head} {body} {leave} end"

    def _if(self, depth: int) -> str:
        return f"if {self.expression(depth)} then {self.block(depth) if depth > 0 else ''} end"

    def _function(self, depth: int) -> str:
        return f"function {self._name()}(...) {self.block(depth) if depth > 0 else ''} end"

    def _protected(self, depth: int) -> str:
        handler = self.chance.choice(["print", "error", self._lambda(max(depth, 1))])
        inside = self._lambda(max(depth, 1))
        again = self.chance.choice(["", "", "for i = 1, 1e9 do "])
        call = self.chance.choice([f"pcall({inside})", f"xpcall({inside}, {handler})"])
        return f"{again}{self._name()} = {{{call}}}{' end' if again else ''}"

    def _coroutine(self, depth: int) -> str:
        body = f"function(...) {self.block(max(depth, 1), 2)} coroutine.yield({self.expression(depth)}) end"
        way = self.chance.choice(["coroutine.wrap({})({})", "coroutine.resume(coroutine.create({}), {})"])
        return f"{self._name()} = {way.format(body, self.expression(depth))}"

    def _closing(self, depth: int) -> str:
        return (
            f"do local c <close> = setmetatable({{}}, {{__close = {self._lambda(max(depth, 1))}}}) "
            f"{self.block(max(depth, 1), 2)} end"
        )

    def _metatable(self, depth: int) -> str:
        fields = ", ".join(
            f"{self.chance.choice(EVENTS)} = {self.expression(max(depth, 1))}"
            for _ in range(self.chance.randint(1, 4))
        )
        return f"{self._name()} = setmetatable({self._table(depth)}, {{{fields}}})"

    def _goto(self, depth: int) -> str:
        label = f"l{self.chance.randint(1, 10**6)}"
        body = self.block(max(depth, 1), 1)
        return f"do local n = 0 ::{label}:: n = n + 1 {body} if n < 50 then goto {label} end end"

    def _poison(self, depth: int) -> str:
        target = self.chance.choice([name for name in LIBRARY if name != "error"])
        return f"{target} = {self.expression(depth)}"

    def _task(self, depth: int) -> str:
        wait = self.chance.choice(["", ":await()"])
        return f"{self._name()} = async({self._lambda(max(depth, 1))}){wait}"

    def _raise(self, depth: int) -> str:
        return f"do error({self.expression(depth)}, {self.chance.choice(['0', '1', '2', '1e9'])}) end"


class Fuzzer:
    """Runs programs and asserts after each that the session answers and has what was planted."""

    def __init__(self, seed: int) -> None:
        self.grammar = Grammar(seed)
        self.endings: Counter[str] = Counter()
        self.longest = 0.0

    async def run(self, seconds: float, programs: int) -> int:
        """Run so many programs, or for so long; returns how many."""
        session = Session(Settings.load(None, SETTINGS))
        await session.start()
        finish = time.monotonic() + seconds
        done = 0
        try:
            while done < programs and time.monotonic() < finish:
                if done % 40 == 0:
                    await session.reset()
                    await self._hold(session, PLANTED)
                await self._try(session, self.grammar.program())
                done += 1
        finally:
            await session.close()
        return done

    async def _try(self, session: Session, program: str) -> None:
        began = time.monotonic()
        try:
            outcome = await asyncio.wait_for(session.execute(program, Page(), "cell 2"), PATIENCE)
            self.endings[type(outcome).__name__] += 1
            self.longest = max(self.longest, time.monotonic() - began)
            session.is_complete(program)
            await asyncio.wait_for(session.complete(program, len(program) // 2, {}), PATIENCE)
            await asyncio.wait_for(session.variables(), PATIENCE)
            assert await self._hold(session, HOLDS) == "true", "what was planted is gone"
        except Exception as error:
            error.add_note(f"the program was:\n{program}")
            raise

    async def _hold(self, session: Session, code: str) -> str | None:
        page = Page()
        outcome = await asyncio.wait_for(session.execute(code, page, "cell 1"), PATIENCE)
        finish = time.monotonic() + PATIENCE
        # tasks of the program before, or a busy machine, may hold it up past its time
        while not isinstance(outcome, Succeeded) and time.monotonic() < finish:
            outcome = await asyncio.wait_for(session.execute(code, page, "cell 1"), PATIENCE)
        assert isinstance(outcome, Succeeded), f"{outcome}\n{page.text}"
        return outcome.bundle["text/plain"] if outcome.bundle else None


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    finish, seed, total = time.monotonic() + options.seconds, options.seed, Counter[str]()
    while time.monotonic() < finish:
        fuzzer = Fuzzer(seed)
        try:
            await fuzzer.run(finish - time.monotonic(), 200)
        except Exception as error:
            print(f"seed {seed}: {type(error).__name__}: {error}\n{''.join(error.__notes__)}\n", flush=True)
        total += fuzzer.endings
        print(f"seed {seed}: {dict(fuzzer.endings)}, longest {fuzzer.longest:.2f} s", flush=True)
        seed += 1
    print(f"in all: {dict(total)}")


if __name__ == "__main__":
    asyncio.run(_main())
