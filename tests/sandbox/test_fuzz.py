"""Random Lua and random frames: the session answers and keeps what was planted. See fuzzing.py for longer runs."""

from __future__ import annotations

import random
from contextlib import suppress

import msgspec
import pytest
from fuzzing import Fuzzer, Grammar

from llmspell_kernel.engine import values, wire
from llmspell_kernel.errors import ProtocolError

SECONDS, PROGRAMS = 8.0, 40


@pytest.mark.parametrize("seed", [1])
async def test_random_programs_take_nothing_from_the_session(seed: int) -> None:
    fuzzer = Fuzzer(seed)
    assert await fuzzer.run(SECONDS, PROGRAMS) >= 5
    assert sum(fuzzer.endings.values()) >= 5


def test_the_grammar_gives_the_same_programs_for_the_same_seed() -> None:
    first, second = Grammar(7), Grammar(7)
    assert [first.program() for _ in range(20)] == [second.program() for _ in range(20)]


FRAMES: list[wire.Frame] = [
    wire.Ready(1, "5.4", {"landlock": "active"}),
    wire.Output(1, 1, b"text"),
    wire.Call(1, 1, "llm", "chat", msgspec.Raw(b"\x91\xa1x")),
    wire.Cancel(1),
    wire.Returned(1, True, msgspec.Raw(b"\x90")),
    wire.Reply(1, True, msgspec.Raw(b"\x80")),
    wire.Release([1, 2, 3, 4]),
    wire.Done(1, "ok", msgspec.Raw(b"\x90"), 0, 1000, 5),
    wire.Stopping(1, wire.StopReason.MEMORY),
    wire.Spent(5),
    wire.Execute(1, "cell 1", b"return 1", "cell"),
    wire.Answer(1, True, msgspec.Raw(b"\x90")),
    wire.Invoke(1, 1, msgspec.Raw(b"\x90")),
    wire.Forget([1]),
]


def mutated(chance: random.Random, data: bytes) -> bytes:
    """The same with some bytes changed, taken away, added or repeated."""
    mine = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(mine) + 1)
        match chance.randrange(4):
            case 0 if place < len(mine):
                mine[place] = chance.randrange(256)
            case 1:
                del mine[place : place + chance.randint(1, 8)]
            case 2:
                mine[place:place] = chance.randbytes(chance.randint(1, 8))
            case _:
                mine[place:place] = mine[: chance.randint(1, 16)]
    return bytes(mine)


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_are_frames_or_a_protocol_error(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(3000):
        stream = b"".join(wire.encode(chance.choice(FRAMES)) for _ in range(chance.randint(1, 3)))
        stream = mutated(chance, stream)
        buffer = wire.FrameBuffer()
        with suppress(ProtocolError):
            for start in range(0, len(stream), 7):
                for body in buffer.feed(stream[start : start + 7]):
                    read(body)


def read(body: bytes) -> None:
    for decode in (wire.decode_outbound, wire.decode_inbound):
        with suppress(ProtocolError):
            frame = decode(body)
            for field in frame.__struct_fields__:
                value = getattr(frame, field)
                if isinstance(value, msgspec.Raw):
                    with suppress(ProtocolError):
                        values.decode(bytes(value))
