"""What a session may do: hosts, folders, variables, tools, MCP servers, model providers.

`Grants` is the value that bridges check. `missing` words a refusal, `hosts` and `folders` hold the rules
for those two.
"""

from llmspell_kernel.grants.folders import CAN_WALK, Place
from llmspell_kernel.grants.hosts import Target
from llmspell_kernel.grants.missing import KINDS, Kind
from llmspell_kernel.grants.value import Grants, NameKind, check_entry, is_secret_name

__all__ = [
    "CAN_WALK",
    "KINDS",
    "Grants",
    "Kind",
    "NameKind",
    "Place",
    "Target",
    "check_entry",
    "is_secret_name",
]
