-- go-llmspell's small helpers.

local async = require("lib.async")
local bridge = require("bridge")
local json = require("lib.json")
local log = require("lib.log")
local raise = require("raise")
local reasons = require("lib.older.reasons")

local pairs = pairs
local make_folder = bridge.bind("compat_tools", "folder")

local U = {}

function U.general_sleep(milliseconds)
  raise.check_number(1, "utils.general_sleep", milliseconds, 0)
  async.sleep(milliseconds / 1000)
end

function U.general_uuid() return require("lib.rs.tool_table").uuid_generator({}).uuid end

U.generate_uuid, U.uuid = U.general_uuid, U.general_uuid

function U.mkdir(path) return make_folder(path) end

U.create_directory = U.mkdir

function U.is_windows() return false end

function U.debug_set_level(level) log.set_level(level) end

function U.debug_get_config() return { level = log.get_level(), enabled = log.is_enabled("debug") } end

function U.debug_log(level, message, fields) log.log(level, message, fields) end

function U.debug_is_enabled() return log.is_enabled("debug") end

function U.json_encode(value) return json.encode(value) end

function U.json_decode(text) return json.decode(text) end

U.json_parse, U.json_stringify = U.json_decode, U.json_encode

-- Which level a logger of the shared kind writes: `utils.slog_info(message, fields)`.
for name, level in pairs({ slog_debug = "debug", slog_info = "info", slog_warn = "warn", slog_error = "error" }) do
  U[name] = function(message, fields) log.log(level, message, fields) end
end

local lacking = reasons({}, "nothing here looks at the machine", { "system_info", "get_system_info" })

return { members = U, lacking = lacking }
