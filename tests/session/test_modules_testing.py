"""testing: cells of tests, what they show, and how they fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmspell_kernel.session.outcome import Failed, Succeeded

if TYPE_CHECKING:
    from .conftest import Notebook

HEAD = (
    "local describe, it, expect, before_each, after_each = testing.describe, testing.it, testing.expect, "
    "testing.before_each, testing.after_each "
)


async def test_a_cell_of_tests_shows_their_results(notebook: Notebook) -> None:
    code = (
        HEAD
        + """
    describe("outer", function()
      it("works", function() expect(1):to_be(1) end)
      describe("inner", function() it("waits", function() return async(async.sleep, 0.01) end) it("is to come") end)
    end)
    """
    )
    expected = "outer\n  ✓ works\nouter › inner\n  ✓ waits\n  – is to come\n2 passed, 1 skipped"
    assert await notebook.value(code) == expected
    assert await notebook.value("1 + 1") == "2"


async def test_a_failing_test_fails_the_cell_after_the_results_are_shown(notebook: Notebook) -> None:
    code = (
        HEAD
        + """
    describe("sums", function()
      it("are right", function() expect(1 + 1):to_equal(2) end)
      it("are wrong", function()
        expect({a = {1, 2}}):to_equal({a = {1, 3}})
      end)
      it("breaks", function() error(errors.new("x", "broken")) end)
      it("rejects", function() return promise.reject("late") end)
      it("takes too long", function() async.sleep(5) end, {timeout = 0.01})
    end)
    print("the cell ran to its end")
    """
    )
    outcome = await notebook.run(code)
    assert isinstance(outcome, Failed)
    assert (outcome.problem.ename, outcome.problem.evalue) == (
        "TestsFailed",
        "4 of 5 tests failed; the first: sums: are wrong",
    )
    ((bundle, _, _),) = notebook.last.shown
    assert bundle["text/plain"].splitlines() == [
        "sums",
        "  ✓ are right",
        "  ✗ are wrong",
        "      cell 1:5: expected {a = {1, 2}} to equal {a = {1, 3}}: .a[2] is 2 instead of 3",
        "  ✗ breaks",
        "      broken",
        "  ✗ rejects",
        "      late",
        "  ✗ takes too long",
        "      no result within 0.01 seconds",
        "1 passed, 4 failed",
    ]
    assert notebook.last.out == "the cell ran to its end\n"


async def test_what_goes_around_tests_runs_in_order_and_after_failures_too(notebook: Notebook) -> None:
    code = (
        HEAD
        + """
    local log = {}
    local function note(text) return function() log[#log + 1] = text end end
    describe("o", function()
      testing.before_all(note("O")) before_each(note("o")) after_each(note("/o")) testing.after_all(note("/O"))
      it("1", note("1"))
      describe("i", function()
        testing.before_all(note("I")) before_each(note("i")) after_each(note("/i")) testing.after_all(note("/I"))
        it("2", function() note("2")() error("x") end)
      end)
      it("3", note("3"))
    end)
    print(testing.run({raise = false}))
    print(table.concat(log, " "))
    """
    )
    await notebook.value(code)
    assert notebook.last.out == "2 passed, 1 failed\nO o 1 /o I o i 2 /i /o /I o 3 /o /O\n"


async def test_only_leaves_the_others_out_and_skipped_groups_prepare_nothing(notebook: Notebook) -> None:
    code = (
        HEAD
        + """
    describe("a", function() it("x", error) testing.only("y", function() end) end)
    describe("b", function() testing.before_all(error) it("z", error) end)
    """
    )
    assert await notebook.value(code) == "a\n  – x\n  ✓ y\nb\n  – z\n1 passed, 2 skipped"


async def test_what_cannot_be_prepared_fails_its_tests(notebook: Notebook) -> None:
    code = (
        HEAD
        + """
    describe("a", function() testing.before_all(function() error("no", 0) end) it("x", print) it("y", print) end)
    return testing.run({raise = false})
    """
    )
    assert await notebook.value(code) == "a\n  ✗ x\n      no\n  ✗ y\n      no\n2 failed"


async def test_what_cannot_be_prepared_tells_its_calls_to_each_test(notebook: Notebook) -> None:
    code = (
        HEAD
        + """
    local function open() error("no file", 0) end
    describe("a", function()
      testing.before_all(function() open() end)
      it("x", print)
      it("y", print)
    end)
    local results = testing.run({raise = false})
    return results.tests[1].traceback, results.tests[1].traceback == results.tests[2].traceback
    """
    )
    calls = "  cell 1:2 in function 'open'\n  cell 1:4 in the function of line 4"
    assert await notebook.value(code) == f"[[{calls}]]\ntrue"


async def test_groups_of_a_cell_that_failed_do_not_run_in_the_next(notebook: Notebook) -> None:
    assert isinstance(
        await notebook.run(HEAD + "describe('a', function() it('x', error) end) error('oh')"), Failed
    )
    assert await notebook.run("testing.run()") == Succeeded(
        {"text/plain": "no tests", "text/html": (await _html(notebook))}
    )


async def _html(notebook: Notebook) -> str:
    outcome = await notebook.run("testing.run()")
    assert isinstance(outcome, Succeeded)
    assert outcome.bundle is not None
    return outcome.bundle["text/html"]


async def test_spies_and_stubs_are_put_back_after_each_test(notebook: Notebook) -> None:
    code = (
        HEAD
        + """
    shop = {open = function(n) return n end, closed = false}
    describe("shop", function()
      it("is spied on", function()
        local spy = testing.spy(shop, "open")
        expect(shop.open(3)):to_be(3)
        expect(spy):to_have_been_called(1):to_have_been_called_with(3)
        spy:restore():restore()
        expect(shop.open).never:to_be(spy)
        testing.stub(shop, "closed", true)
        expect(shop.closed):to_be_true()
      end)
      it("is as before", function() expect(shop.closed):to_be_false() expect(shop.open):to_be_a("function") end)
    end)
    """
    )
    assert await notebook.value(code) == "shop\n  ✓ is spied on\n  ✓ is as before\n2 passed"


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        ("expect(1):to_be(2)", "expected 1 to be 2"),
        ("expect({}):to_be({})", "expected {} to be {}"),
        ("expect(1).never:to_be(1)", "expected 1 not to be 1"),
        ("expect({1, x = 1}):to_equal({1})", "expected {1, x = 1} to equal {1}: .x should not be there"),
        ("expect({}):to_equal({y = {}})", "expected {} to equal {y = {}}: .y is missing"),
        ("expect(0.1 + 0.2):to_equal(0.3)", "expected 0.30000000000000004 to equal 0.3"),
        (
            "expect({a = 1, b = {2}, c = 3}):to_equal({a = 2, b = {3}, d = 4})",
            "expected {a = 1, b = {2}, c = 3} to equal {a = 2, b = {3}, d = 4}: "
            ".a is 1 instead of 2, .b[1] is 2 instead of 3, .c should not be there, .d is missing",
        ),
        (
            "expect({1, 2, 3, 4, 5, 6}):to_equal({})",
            "expected {1, 2, 3, 4, 5, 6} to equal {}: [1] should not be there, [2] should not be there, "
            "[3] should not be there, [4] should not be there, [5] should not be there, …",
        ),
        (
            "expect('a\\nb\\nc'):to_equal('a\\nB\\nc')",
            'expected "a\\nb\\nc" to equal "a\\nB\\nc": line 2 is "b" instead of "B"',
        ),
        (
            "expect('é' .. ('x'):rep(400)):to_equal('é' .. ('x'):rep(399) .. 'y!')",
            f'expected "é{"x" * 298}…" to equal "é{"x" * 298}…": from byte 402 on it is "x" instead of "y!"',
        ),
        ("expect('abc'):to_contain('x')", 'expected "abc" to contain "x"'),
        ("expect(nil):to_be_truthy()", "expected nil to be truthy"),
        ("expect(print).never:to_be_a('function')", None),
        ("expect('a'):to_have_length(2)", 'expected "a" to have the length 2, not 1'),
        ("expect(1):to_be_near(2)", "expected 1 to be near 2 (at most 1e-06 away)"),
        ("expect(1):to_be_greater_than('a')", 'expected 1 to be greater than "a"'),
        ("expect(function() end):to_raise()", "expected an error, and none was raised"),
        (
            "expect(function() error('a', 0) end):to_raise('b')",
            'expected an error like "b", got "a"',
        ),
        ("expect(function() error('a', 0) end).never:to_raise()", 'expected no error, got "a"'),
        ("expect(testing.mock()):to_have_been_called()", "expected mock: called 0 times to have been called"),
        ("expect(1):to_bee(1)", "there is no expectation 'to_bee'; expect(v).to_ and Tab list them"),
        ("testing.assert.equals(1, 2)", "expected 1 to equal 2"),
    ],
)
async def test_an_expectation_that_is_not_met_says_what_was_expected(
    notebook: Notebook, expectation: str, message: str | None
) -> None:
    outcome = await notebook.run(HEAD + expectation)
    assert isinstance(outcome, Failed)
    assert message is None or outcome.problem.evalue == message


async def test_of_very_many_tests_the_failed_ones_are_shown_and_all_are_counted(notebook: Notebook) -> None:
    code = "for n = 1, 2000 do testing.it('test ' .. n, function() if n > %d then error('no', 0) end end) end"
    assert str(await notebook.value(code % 2000)).endswith("\n  … and 1,580 more\n2000 passed")
    outcome = await notebook.run(code % 1998)
    assert isinstance(outcome, Failed)
    shown = notebook.last.shown[0][0]["text/plain"]
    end = "  ✗ test 1999\n      no\n  ✗ test 2000\n      no\n  … and 1,700 more\n1998 passed, 2 failed"
    assert shown.endswith(end)


async def test_what_is_described_in_a_test_is_refused(notebook: Notebook) -> None:
    outcome = await notebook.run("testing.it('outer', function() testing.it('inner', print) end)")
    assert isinstance(outcome, Failed)
    shown = notebook.last.shown[0][0]["text/plain"]
    assert "cell 1:1: 'testing.it' cannot be called in a test, but in a testing.describe around it" in shown
    assert await notebook.value("testing.it('next', function() end)") == "  ✓ next\n1 passed"


async def test_a_module_is_replaced_under_its_name(notebook: Notebook) -> None:
    outcome = await notebook.run("testing.spy(json, 'encode')")
    assert isinstance(outcome, Failed)
    assert outcome.problem.evalue == (
        "bad argument #1 to 'testing.spy' "
        "(a module cannot be changed: testing.stub(_G, 'json', { … }) replaces it)"
    )
    code = "testing.it('t', function() testing.stub(_G, 'json', {encode = testing.mock():returns('x')}) "
    await notebook.run(code + "testing.expect(json.encode(1)):to_be('x') end)")
    assert await notebook.value("json.encode(1)") == '"1"'


async def test_equality_looks_into_cycles_and_at_metamethods(notebook: Notebook) -> None:
    code = (
        HEAD
        + """
    local a, b = {1}, {1} a.self, b.self = a, b
    expect(a):to_equal(b)
    local m = {__eq = function(x, y) return x.id == y.id end}
    expect(setmetatable({id = 1, x = 1}, m)):to_equal(setmetatable({id = 1}, m))
    expect(0/0):to_equal(0/0) expect(1):to_equal(1.0)
    expect({1}).never():to_equal({1, 2})
    """
    )
    assert await notebook.value(code) is None
