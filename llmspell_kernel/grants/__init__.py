"""What a session may do: hosts, folders, variables, tools, MCP servers, model providers.

`Grants` is the value that bridges check. `missing` words a refusal, `hosts` and `folders` hold the rules
for those two.
"""

from llmspell_kernel.grants.folders import CAN_WALK, Place
from llmspell_kernel.grants.hosts import Target
from llmspell_kernel.grants.missing import KINDS, Kind
from llmspell_kernel.grants.value import Grants, NameKind, is_secret_name, normal_entry

__all__ = [
    "CAN_WALK",
    "KINDS",
    "Grants",
    "Kind",
    "NameKind",
    "Place",
    "Target",
    "is_secret_name",
    "normal_entry",
]
