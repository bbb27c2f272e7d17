std = "lua54"
max_line_length = 120
color = false

-- descriptions of the standard library, in Lua's own words: they define what is there, and do nothing
files["llmspell_kernel/language/library/*.lua"] = { ignore = { "111", "112", "113", "121", "122", "212", "631" } }
