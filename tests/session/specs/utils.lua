-- The small helpers of older spells.

local describe, it, expect = testing.describe, testing.it, testing.expect

describe("utils", function()
  it("takes paths apart and puts them together", function()
    expect(utils.join_path("/", "a")):to_be("/a")
    expect(utils.join_path("/")):to_be("/")
    expect(utils.join_path("a", "", "b//")):to_be("a/b")
    expect(utils.basename("/a/b/")):to_be("b")
    expect(utils.dirname("/a")):to_be("/")
    expect(utils.dirname("a/b/")):to_be("a")
    expect(utils.file_extension(".profile")):to_be("")
    expect(utils.file_extension("a.tar.gz")):to_be(".gz")
    expect(utils.file_extension("a.b/c")):to_be("")
  end)

  it("says what cannot be done here instead of failing in silence", function()
    local result, err = utils.exec("rm -rf /")
    expect(result):to_be_nil()
    expect(err.code):to_be("not_here")
    expect(utils.file_exists("/etc/passwd")):to_be_false()
    expect(function() utils.file_read("/etc/passwd") end):to_raise("not granted")
  end)

  it("waits while tasks go on", function()
    local ticks = 0
    async(function() ticks = ticks + 1 end)
    utils.sleep(0.01)
    expect(ticks):to_be(1)
    expect(function() utils.sleep(-1) end):to_raise("at least 0")
  end)
end)
