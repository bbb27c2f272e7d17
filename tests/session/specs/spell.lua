-- What a spell says of itself.

local describe, it, expect = testing.describe, testing.it, testing.expect

describe("spell", function()
  it("takes parameters from params, then from globals as papermill sets them, then by default", function()
    params = { city = "Paris", off = false }
    spec_days = 3
    spell.init({ name = "trip", params = {
      city = { type = "string", required = true },
      spec_days = { type = "integer" },
      off = { type = "boolean", default = true },
      color = { enum = { "red", "blue" }, default = "red" },
    } })
    expect(spell.params()):to_equal({ city = "Paris", spec_days = 3, off = false, color = "red" })
    expect(spell.info().name):to_be("trip")
  end)

  it("refuses parameters that are not as declared", function()
    params = { n = "three", color = "green" }
    expect(function() spell.params("n", { type = "number" }) end):to_raise("must be a number, not a string")
    expect(function() spell.params("color", { enum = { "red" } }) end):to_raise("must be one of red, not green")
    expect(function() spell.params("spec_missing", { required = true }) end):to_raise("bad_parameter")
    params = {}
  end)

  it("keeps values for a while", function()
    local calls = 0
    local function make() calls = calls + 1 return "made" end
    expect(spell.cache("spec", make, 0.02)):to_be("made")
    expect(spell.cache("spec", make)):to_be("made")
    expect(calls):to_be(1)
    async.sleep(0.03)
    expect(spell.cache("spec")):to_be_nil()
  end)

  it("includes libraries and modules", function()
    spell.library("spec_lib", { double = function(n) return 2 * n end })
    expect(spell.include("spec_lib").double(4)):to_be(8)
    expect(spell.include("json")):to_be(json)
    expect(function() spell.include("no_such_module") end):to_raise("not found")
  end)
end)
