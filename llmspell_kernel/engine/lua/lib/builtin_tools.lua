-- The tools that are built in, as models see them. What they do is in the kernel process (bridges/tools.py), each
-- behind its grant.

local function object(properties, required)
  return { type = "object", properties = properties, required = required }
end

local function text(description) return { type = "string", description = description } end

local path = text("A path in a folder that is granted, relative to the notebook's")

return {
  {
    name = "calculator",
    description = "Works out arithmetic, such as 2 * (3 + 4)",
    parameters = object({ expression = text() }, { "expression" }),
  },
  {
    name = "datetime_now",
    description = "Tells the time in UTC",
    parameters = object({ format = text("strftime format; ISO 8601 if left out") }),
  },
  {
    name = "datetime_format",
    description = "Writes a time (seconds since 1970, or ISO 8601) in a strftime format",
    parameters = object({ time = { type = { "number", "string" } }, format = text() }, { "time" }),
  },
  {
    name = "datetime_parse",
    description = "Reads a time in ISO 8601 as seconds since 1970",
    parameters = object({ text = text() }, { "text" }),
  },
  { name = "json_parse", description = "Reads JSON", parameters = object({ text = text() }, { "text" }) },
  {
    name = "json_stringify",
    description = "Writes a value as JSON",
    parameters = object({ value = {}, indent = { type = "integer" } }),
  },
  { name = "file_read", description = "Reads a file", parameters = object({ path = path }, { "path" }) },
  {
    name = "file_write",
    description = "Writes a file, in place of what it holds",
    parameters = object({ path = path, content = text() }, { "path", "content" }),
  },
  {
    name = "file_append",
    description = "Writes at the end of a file",
    parameters = object({ path = path, content = text() }, { "path", "content" }),
  },
  { name = "file_delete", description = "Deletes a file", parameters = object({ path = path }, { "path" }) },
  {
    name = "file_exists",
    description = "Tells whether there is a file or folder",
    parameters = object({ path = path }, { "path" }),
  },
  {
    name = "file_list",
    description = "Lists a folder: name, type, size and time of each file",
    parameters = object({ path = path, pattern = text("names that fit, such as *.md") }),
  },
  {
    name = "web_fetch",
    description = "Fetches a web page as text",
    parameters = object({ url = text("http or https"), max_chars = { type = "integer" } }, { "url" }),
  },
  {
    name = "web_search",
    description = "Searches the web: title, url and a few words of each result",
    parameters = object({ query = text(), limit = { type = "integer" } }, { "query" }),
  },
}
