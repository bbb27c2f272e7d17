-- Storage of go-llmspell's first generation: what is wrong is the first result; and ours: true, or nil and what is wrong.
local name = "summary_" .. ("https://example.org/a"):gsub("https?://", ""):gsub("[^%w%-_.]", "_") .. ".txt"
local save_err = storage.write(name, "a summary")
local shown = save_err and "Warning: " .. save_err or "saved"
assert(shown == "saved" and storage.read(name) == "a summary" and storage.exists(name))
local inside_err = storage.write(name .. "/inside.txt", "x")
assert(#("Warning: " .. inside_err) > 12)
assert(storage.list("*.txt")[1] == name and #storage.list("*.md") == 0)
local gone_err = storage.delete(name)
assert(gone_err == nil and not storage.exists(name))
local done, err = storage.write("ours.txt", "x")
assert(done == true and err == nil and storage.write("ours.txt", "y") and storage.delete("ours.txt"))
storage.set("mode", "quick")
assert(storage.get("mode") == "quick")
