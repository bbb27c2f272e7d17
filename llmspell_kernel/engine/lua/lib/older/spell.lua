-- go-llmspell's `spell`: what a notebook has no use for says so.

local reasons = require("lib.older.reasons")
local spell = require("lib.spell")

local S = {}

function S.context() return spell.info() end

local lacking = reasons({}, "a notebook has no such moments; write what is to be done where it is to be done", {
  "on_init", "on_start", "on_complete", "on_cleanup", "on_error", "cleanup_resources", "resource",
})
reasons(lacking, "every spell runs confined", { "sandbox" })
reasons(lacking, "run one spell after the other with spell.run, or use workflow", { "compose" })
reasons(lacking, "os.getenv gives the variables that are granted", { "env" })
reasons(lacking, "nothing here looks at the machine", { "get_system_info" })
reasons(lacking, "spell.cache(key, value, seconds) lets go by itself", { "get_cache_stats", "clear_expired_cache" })
reasons(lacking, "spell.init takes a table", { "validate_config", "reset" })

return { members = S, lacking = lacking }
