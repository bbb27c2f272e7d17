"""What cells show by `display`, `plot` and `progress`, and how own kinds of values are drawn."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llmspell_kernel.bridges import plots
from llmspell_kernel.session.outcome import Failed, Succeeded

if TYPE_CHECKING:
    import pytest
    from syrupy.assertion import SnapshotAssertion

    from tests.session.conftest import Notebook

CHART = "application/vnd.vegalite.v5+json"
VIEW = "application/vnd.jupyter.widget-view+json"


async def bundles(notebook: Notebook, code: str) -> list[dict[str, Any]]:
    outcome = await notebook.run(code)
    assert isinstance(outcome, Succeeded), outcome
    return [bundle for bundle, _, _ in notebook.last.shown]


async def test_each_kind_of_media_has_its_mime_type_and_a_plain_text(notebook: Notebook) -> None:
    shown = await bundles(
        notebook,
        """
        display.html("<b>bold</b> &amp; more<script>x</script>")
        display.markdown("# Title")
        display.latex("E = mc^2")
        display.json({ a = { 1, 2 } })
        display.link("https://www.lua.org", "Lua")
        display.file("a b.md")
        display.image("\\x89PNG\\r\\n\\x1a\\n", { width = 10, alt = "dot" })
        display.audio("RIFF1234WAVEfmt ")
        display.svg("<svg></svg>")
        """,
    )
    assert [bundle["text/plain"] for bundle in shown] == [
        "bold & morex\n-- left out, for it could act in this page: script"
        if "left out" in shown[0]["text/plain"]
        else "bold & morex",
        "# Title",
        "E = mc^2",
        "{a = {1, 2}}",
        "Lua: https://www.lua.org",
        "a b.md",
        "dot",
        "<audio/wav, 16 bytes>",
        "<SVG image>",
    ]
    assert "script" not in shown[0]["text/html"].split("<p>")[0]
    assert shown[1]["text/markdown"] == "# Title"
    assert shown[2]["text/latex"] == "$\\displaystyle E = mc^2$"
    assert shown[3]["application/json"] == {"a": [1, 2]}
    assert 'href="https://www.lua.org"' in shown[4]["text/html"]
    assert shown[5]["text/markdown"] == "[a b.md](a%20b.md)"
    assert shown[6]["image/png"] == "iVBORw0KGgo="
    assert 'width="10"' in shown[6]["text/html"]
    assert "<audio" in shown[7]["text/html"]
    assert shown[8]["image/svg+xml"] == "<svg></svg>"


async def test_json_is_shown_without_what_it_has_no_name_for(notebook: Notebook) -> None:
    shown = await bundles(
        notebook, "display.json({ 1/0, 2.5, { f = print, w = widgets.Label('x') } }) display.json('\\xff')"
    )
    assert [bundle["application/json"] for bundle in shown] == [[None, 2.5, {"f": None, "w": None}], "\ufffd"]


async def test_display_is_called_as_before_and_its_handle_updates(notebook: Notebook) -> None:
    await bundles(notebook, "local shown = display(1); shown:update(2); display.markdown('a'):update('b')")
    ids = [(bundle["text/plain"], update) for bundle, _, update in notebook.last.shown]
    assert ids == [("1", False), ("2", True), ("a", False), ('"b"', True)]
    assert isinstance(await notebook.run("display.html = 1"), Failed)


async def test_a_registered_renderer_draws_and_one_that_fails_is_told(notebook: Notebook) -> None:
    await notebook.run(
        "display.register(function(v) return v.celsius ~= nil end, "
        "function(v) return '<b>' .. v.celsius .. '°</b>' end)"
    )
    outcome = await notebook.run("return { celsius = 3 }")
    assert isinstance(outcome, Succeeded)
    assert outcome.bundle is not None
    assert outcome.bundle["text/html"] == "<b>3°</b>"
    await notebook.run('display.register("Odd", function() error("oops") end)')
    assert await notebook.value("return setmetatable({ 1 }, { __name = 'Odd' })") == (
        "Odd {1}\n-- renderer: cell 3:1: oops"
    )
    await notebook.run('display.register("Odd", nil)')
    assert await notebook.value("return setmetatable({ 1 }, { __name = 'Odd' })") == "Odd {1}"
    await notebook.run("picky = function(v) return v.n.m end display.register(picky, tostring)")
    told = await notebook.value("return { 1 }")
    assert told is not None
    assert told.startswith("{1}\n-- predicate: cell 7:1: attempt to index a nil value (field 'n')")
    await notebook.run("display.register(picky, nil)")
    assert await notebook.value("return { 1 }") == "{1}"


async def test_results_of_the_modules_are_drawn_as_what_they_are(notebook: Notebook) -> None:
    async def markup(code: str) -> str:
        outcome = await notebook.run(code)
        assert isinstance(outcome, Succeeded)
        assert outcome.bundle is not None
        return outcome.bundle["text/html"]

    state = "local s = state.create('d', { defaults = { n = 1 } }) local old = s:snapshot() "
    assert 'class="ls-diff"' in await markup(state + "s:set('n', 2) return s:diff(old)")
    assert await notebook.value(state + "return s:diff(old)") == "no changes"
    flow = "flow = workflow.sequential('w'):add_step('a', function() return 1 end):build() "
    assert "not run yet" in await markup(flow + "return flow")
    assert "completed" in await markup("flow:execute() return flow")
    init = "spell.init{ name = 'greet', version = '1.0', params = { who = { default = 'you' } } } "
    assert "greet" in await markup(init + "return spell.info()")


async def test_a_workflow_that_is_shown_follows_its_run(notebook: Notebook) -> None:
    await bundles(
        notebook,
        """
        local function wait(n) return function() async.sleep(n) return n end end
        local both = workflow.parallel("both"):add_step("quick", wait(0)):add_step("slow", wait(0.3)):build()
        local route = workflow.conditional("route"):condition(function() return true end)
          :add_then_step{ name = "on", fn = wait(0) }:add_else_step{ name = "off", fn = wait(0) }:build()
        workflow.sequential("all"):add_step("first", wait(0)):add_step{ name = "middle", workflow = both }
          :add_step{ name = "last", workflow = route }:build():show():execute();
        """,
    )
    texts = [bundle["text/plain"] for bundle, _, _ in notebook.last.shown]
    assert [update for _, _, update in notebook.last.shown] == [False] + [True] * (len(texts) - 1)
    assert texts[0].startswith("○ all · not run yet\n  ○ first")
    assert any("✓ quick" in text and "◐ slow" in text and "◐ all · running" in text for text in texts)
    assert texts[-1].splitlines() == [
        "✓ all · completed",
        "  ✓ first  function",
        "  ✓ middle  parallel",
        "    ✓ quick  function",
        "    ✓ slow  function",
        "  ✓ last  conditional",
        "    ✓ one of",
        "      ✓ then",
        "        ✓ on  function",
        "      ○ else",
        "        ○ off  function",
    ]


async def test_several_values_with_a_widget_keep_its_view(notebook: Notebook) -> None:
    outcome = await notebook.run("return 1, widgets.IntSlider{}, { 2 }")
    assert isinstance(outcome, Succeeded)
    assert outcome.bundle is not None
    shown = [bundle for bundle, _, _ in notebook.last.shown]
    assert [VIEW in bundle for bundle in (*shown, outcome.bundle)] == [False, True, False]


async def test_charts_have_axes_titles_and_legends(notebook: Notebook, snapshot: SnapshotAssertion) -> None:
    shown = await bundles(
        notebook,
        """
        local quick = { picture = false }
        plot.line({ a = { 1, 4, 9 }, b = { 1, 2, 3 } }, { title = "Growth", y_title = "size", picture = false })
        plot.bar({ lua = 5, c = 3 }, quick)
        plot.scatter({ { n = 1, m = 2 }, { n = 2, m = 4 } }, { x = "n", y = "m", picture = false })
        plot.hist({ 1, 2, 2, 3 }, quick)
        plot.heatmap({ { 1, 2 }, { 3, 4 } }, quick)
        """,
    )
    assert shown == snapshot
    line, bar, scatter, histogram, heatmap = [bundle[CHART] for bundle in shown]
    assert shown[0]["text/plain"] == "line plot “Growth”, 6 points"
    assert line["title"] == "Growth"
    assert line["encoding"]["y"]["title"] == "size"
    assert line["encoding"]["color"]["field"] == "series"
    assert [row["x"] for row in bar["data"]["values"]] == ["c", "lua"]
    assert bar["encoding"]["x"]["type"] == "nominal"
    assert scatter["encoding"]["x"]["field"] == "n"
    assert histogram["encoding"]["y"]["aggregate"] == "count"
    assert len(heatmap["data"]["values"]) == 4
    outcome = await notebook.run("plot.line({})")
    assert isinstance(outcome, Failed)
    assert "got no data" in outcome.problem.evalue


async def test_media_and_texts_are_shown_as_what_they_are(
    notebook: Notebook, snapshot: SnapshotAssertion
) -> None:
    shown = await bundles(
        notebook,
        """
        display.html("<b>bold</b>")
        display.markdown("# Title")
        display.latex("$x^2$")
        display.json({ a = { 1, 2 }, b = json.null })
        display.svg('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><circle r="2"/></svg>')
        display.image("\\137PNG\\r\\n\\26\\n" .. ("\\0"):rep(16), { width = 20, alt = "a dot" })
        display.audio("RIFF\\0\\0\\0\\0WAVE")
        display.link("https://example.org/", "a page")
        display.table({ { a = 1, b = "x" }, { a = 2.5, b = "y" } }, { columns = { "b", "a" } })
        """,
    )
    assert shown == snapshot


async def test_a_chart_comes_with_a_picture(notebook: Notebook) -> None:
    (chart,) = await bundles(notebook, "plot.line({ 1, 4, 9 })")
    assert chart["image/svg+xml"].startswith("<svg")


async def test_charts_of_very_many_values_draw_some_of_them_and_say_so(notebook: Notebook) -> None:
    shown = await bundles(
        notebook,
        """
        local wave = {}
        for i = 1, 60000 do wave[i] = i == 31234 and 9 or math.sin(i / 100) end
        plot.line(wave)
        plot.scatter({ a = wave, b = { 1, 2, 3 } }, { picture = false })
        plot.hist(wave, { picture = false, bins = 10 })
        plot.hist({ "a", "b", "a" }, { picture = false })
        """,
    )
    line, scatter, counted, named = [bundle[CHART]["data"]["values"] for bundle in shown]
    assert shown[0]["text/plain"] == f"line plot, 60000 points, {len(line)} of them drawn"
    assert shown[0]["image/svg+xml"].startswith("<svg")
    assert len(line) <= 5001
    assert max(line, key=lambda row: row["y"]) == {"x": 31234, "y": 9}
    assert [row["x"] for row in line] == sorted(row["x"] for row in line)
    assert len(scatter) <= 5002
    assert {row["series"] for row in scatter} == {"a", "b"}
    assert sum(row["count"] for row in counted) == 60000
    assert shown[2]["text/plain"] == "hist plot, 60000 points"
    assert named == [{"count": 2, "value": "a"}, {"count": 1, "value": "b"}]


async def test_what_a_chart_cannot_draw_is_a_gap_or_is_said(notebook: Notebook) -> None:
    (chart,) = await bundles(notebook, "plot.line({ 1, 0/0, 1/0, 4 }, { picture = false })")
    assert [row.get("y") for row in chart[CHART]["data"]["values"]] == [1, None, None, 4]
    for code, said in {
        "plot.line{ 1, print }": "'plot.line' cannot draw a function (y of point 2)",
        "plot.heatmap{ 1, 2 }": "'plot.heatmap' draws a list of rows, or records of which x, y and color "
        "name the fields",
        "plot.line({ { a = 1 } }, { x = 'a', y = 'b' })": "'plot.line' found no b in the data",
        "plot.line({ 1 }, { width = 1e9 })": "'width' of plot.line is a number from 1 to 4000",
        "plot.vega{ mark = print }": "a chart is made of numbers, text and tables; it cannot draw functions "
        "or binary strings",
        "local t = {} for i = 1, 3000 do t[i] = i end plot.bar(t)": "'plot.bar' got 3000 bars, and draws 2000 at most: "
        "plot.hist counts values, plot.line draws long lists",
    }.items():
        outcome = await notebook.run(code)
        assert isinstance(outcome, Failed)
        assert outcome.problem.evalue == said


async def test_a_foreign_chart_that_never_ends_takes_nothing_with_it(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "_LIMIT", 1.0)
    endless = "data = { sequence = { start = 0, stop = 1e9 } }, encoding = { x = { field = 'data' } }"
    (chart,) = await bundles(notebook, f"plot.vega{{ mark = 'point', {endless} }}")
    assert chart["text/plain"] == "chart (no picture of it: drawing took more than 1 seconds)"
    monkeypatch.undo()
    (odd,) = await bundles(notebook, "plot.vega{}")
    assert odd["text/plain"].startswith("chart (not a chart: ")
    (drawn,) = await bundles(
        notebook,
        "plot.vega{ data = { values = { { a = 1 } } }, mark = 'bar', encoding = { y = { field = 'a' } } }",
    )
    assert drawn["image/svg+xml"].startswith("<svg")


async def test_progress_takes_odd_counts_and_labels(notebook: Notebook) -> None:
    await bundles(
        notebook,
        """
        for i in progress(-3) do print(i) end
        for i in progress(0/0) do print(i) end
        for i in progress(1/0, "for ever") do if i > 2 then break end end
        for i in progress(2.5, 7) do end
        """,
    )
    assert notebook.last.out + notebook.last.err == ""
    ended = [bundle["text/plain"] for bundle, _, update in notebook.last.shown if update]
    assert ended == ["0", "0", "for ever: 2", "7: [" + "█" * 20 + "] 2 of 2"]


async def test_progress_goes_along_with_loops_and_ends_the_same_each_time(notebook: Notebook) -> None:
    await bundles(
        notebook,
        """
        for i in progress(3, "counting") do end
        for i, v in log.progress({ "a", "b" }) do print(i, v) end
        for k, v in progress(pairs{ x = 1 }) do print(k, v) end
        for i in progress(10) do if i == 5 then break end end
        """,
    )
    assert notebook.last.out == "1\ta\n2\tb\nx\t1\n"
    ended = [bundle["text/plain"] for bundle, _, update in notebook.last.shown if update]
    full = "[" + "█" * 20 + "]"
    assert ended == [
        f"counting: {full} 3 of 3",
        f"{full} 2 of 2",
        f"{full} 1 of 1",
        "[████████············] 4 of 10",
    ]


async def test_columns_come_in_the_order_that_is_asked_for_or_that_a_file_has(notebook: Notebook) -> None:
    def columns(bundle: dict[str, Any]) -> list[str]:
        return re.findall(r"<th[^>]*>(?:<input[^>]*>)*(\w+) <small", bundle["text/html"])

    await notebook.run("rows = data.parse_csv('name,born,city\\nAda,1815,London\\nAlan,1912,London')")
    outcome = await notebook.run("return rows")
    assert isinstance(outcome, Succeeded)
    assert outcome.bundle is not None
    assert columns(outcome.bundle) == ["name", "born", "city"]
    shown = await bundles(
        notebook,
        """
        display.table(rows, { columns = { "city", "name" } })
        display.table(rows)
        display.table({ ada = { born = 1815, name = "Ada" }, alan = { born = 1912 } }, { columns = { "name" } })
        """,
    )
    assert [columns(bundle) for bundle in shown] == [["city", "name"], ["name", "born", "city"], ["name"]]
    for code in (
        "display.table(1)",
        "display.table({}, { columns = {} })",
        "display.table({}, { columns = 1 })",
    ):
        assert isinstance(await notebook.run(code), Failed)


async def test_what_xeus_lua_observes_is_observed(notebook: Notebook) -> None:
    code = """
        heard = {}
        local w = ilua.widgets
        local function hear(value) heard[#heard + 1] = value end
        local slider, pick = w.slider{ max = 9 }, w.dropdown{ _options_labels = { "a", "b", "c" } }
        local tab, accordion, output = w.tab{ _titles = { "one", "two" } }, w.accordion(), w.output()
        tab:add(w.slider(), w.text())
        slider:register_observer(hear) pick:register_observer(hear) tab:register_observer(hear)
        accordion:add(w.slider(), w.button())
        accordion:set_title(2, "second")
        slider.value = 4 async.sleep(0.05) pick.value = "c" async.sleep(0.05) tab.selected_index = 1 async.sleep(0.05)
        local said = output:captured(function() print("inside") return 7 end)
        return table.concat(heard, " "), accordion.titles[2], tab.titles[1], said
    """
    assert await notebook.value(code) == '"4.0 3 2"\t"second"\t"one"\t7'
    assert [b["text/plain"] for b in await bundles(notebook, "ilua.display.display(nil, 1)")] == ["1"]


async def test_the_names_of_xeus_lua_work(notebook: Notebook) -> None:
    code = "s, b = ilua.widgets.slider{ max = 4 }, ilua.widgets.vbox(); b:add(s); return b.children[1] == s"
    assert await notebook.value(code) == "true"
    assert [bundle["text/plain"] for bundle in await bundles(notebook, "ilua.display.display(1, 2)")] == [
        "1",
        "2",
    ]
