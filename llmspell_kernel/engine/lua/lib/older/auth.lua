-- go-llmspell's `auth`: who a person is, which a notebook does not ask.

local reasons = require("lib.older.reasons")

local lacking = reasons({}, "a notebook knows nobody but the person at it", {
  "login", "logout", "get_current_user", "create_session", "validate_session", "destroy_session",
})
reasons(lacking, "what a spell may do is said by grants: grants.has(kind, value)", {
  "check_permission", "require_permission", "grant_permission", "revoke_permission", "create_role", "assign_role",
})
reasons(lacking, "Lua never sees a secret; auth.bearer(name) and auth.api_key(name) refer to one that has a name", {
  "get_token", "set_token", "refresh_token", "validate_token", "revoke_token", "get_credential", "store_credential",
  "credentials", "encrypt", "decrypt", "hash_password", "verify_password", "oauth_flow",
})

return { members = {}, lacking = lacking }
