-- What older spells call by the names of Lua 5.1.

local describe, it, expect = testing.describe, testing.it, testing.expect

describe("Lua 5.1 names", function()
  it("unpacks lists, with a first and a last index", function()
    expect({ unpack({ 1, 2, 3 }) }):to_equal({ 1, 2, 3 })
    expect({ unpack({ 1, 2, 3 }, 2, 3) }):to_equal({ 2, 3 })
    expect(select("#", unpack({}, 1, 3))):to_be(3)
  end)

  it("compiles text, in the cells' own environment", function()
    spec_seen = 7
    expect(loadstring("return spec_seen")()):to_be(7)
    expect(select(2, loadstring("x =", "=mine"))):to_match("^mine:1:")
    expect(loadstring("\27Lua")):to_be_nil()
    expect(function() loadstring(nil) end):to_raise("bad argument #1 to 'loadstring' (string expected, got nil)")
  end)

  it("measures tables", function()
    expect(table.getn({ 1, 2 })):to_be(2)
    expect(table.maxn({ [2.5] = 1, x = 1 })):to_be(2.5)
    expect(table.maxn({})):to_be(0)
  end)

  it("goes through tables until something is returned", function()
    local seen = {}
    expect(table.foreach({ a = 1 }, function(key, value) seen[key] = value end)):to_be_nil()
    expect(seen):to_equal({ a = 1 })
    expect(table.foreachi({ 5, 6, 7 }, function(index, value) if value == 6 then return index end end)):to_be(2)
  end)

  it("has the old mathematics", function()
    expect(math.pow(2, 0.5)):to_be_near(2 ^ 0.5)
    expect(math.mod(-7, 4)):to_be(-3)
    expect(math.log10(100)):to_be_near(2)
    expect(math.sinh(1)):to_be_near(1.1752011936438)
    expect(math.cosh(1)):to_be_near(1.5430806348152)
    expect(math.tanh(-1)):to_be_near(-0.76159415595576)
    expect(math.tanh(1000)):to_be(1.0)
    expect(math.ldexp(1, 10)):to_equal(1024)
  end)

  it("iterates over matches", function()
    local words = {}
    for word in string.gfind("one two", "%a+") do words[#words + 1] = word end
    expect(words):to_equal({ "one", "two" })
    expect(("a"):gfind("a")()):to_be("a")
  end)

  it("has none that would be unsafe", function()
    for _, name in ipairs({ "setfenv", "getfenv", "dofile", "loadfile", "module", "newproxy" }) do
      expect(_G[name]):to_be_nil()
    end
  end)
end)
