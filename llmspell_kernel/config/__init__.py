"""Settings: the one reader of configuration files and of the environment.

`sections` is the table of settings; `documents` and `sources` read the layers, `merging` lays them over
each other, `assembling` makes of them the frozen `Settings` that the rest of the program reads.
"""

from llmspell_kernel.config.assembling import Explained
from llmspell_kernel.config.merging import Ignored
from llmspell_kernel.config.reading import Places
from llmspell_kernel.config.secrets import Secret, Vault
from llmspell_kernel.config.sections import Limits, McpServer, Profile, ProviderSettings, SecretSettings
from llmspell_kernel.config.settings import Settings
from llmspell_kernel.config.table import reference

__all__ = [
    "Explained",
    "Ignored",
    "Limits",
    "McpServer",
    "Places",
    "Profile",
    "ProviderSettings",
    "Secret",
    "SecretSettings",
    "Settings",
    "Vault",
    "reference",
]
