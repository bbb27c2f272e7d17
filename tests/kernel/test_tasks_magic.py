"""``%tasks``: what runs beside the cells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Console


def test_tasks_are_listed_with_what_they_wait_for_and_can_be_cancelled(console: Console) -> None:
    assert console.run("%tasks").result == "no task is running"
    console.run(
        "job = async(function()\n  async.sleep(100)\nend)\nasync(function() channel.make():receive() end)"
    )
    text = str(console.run("%tasks").result)
    head, first, second = (re.split(r"  +", line) for line in text.splitlines())
    assert head == ["task", "began at", "state", "waits for", "runs for"]
    assert first[:4] == ["1", "cell 2:1", "waiting", "sleep at cell 2:2"]
    assert second[:3] == ["2", "cell 2:4", "waiting"]
    assert second[3].endswith("at cell 2:4")
    assert re.fullmatch(r"\d+\.\d s", first[4])
    assert console.run("%tasks cancel 1").result == "1 task cancelled"
    assert console.run("job.state, job.reason.message").result == '"rejected"\t"cancelled by %tasks"'
    assert len(str(console.run("%tasks").result).splitlines()) == 2
    assert console.run("%tasks cancel all").result == "1 task cancelled"
    assert console.run("%tasks").result == "no task is running"


def test_cancelling_what_is_not_there_says_so(console: Console) -> None:
    assert "there is no task 77" in str(console.run("%tasks cancel 77").reply["evalue"])
    assert "write %tasks" in str(console.run("%tasks stop").reply["evalue"])
