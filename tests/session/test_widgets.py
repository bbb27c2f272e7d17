"""Widgets as Lua has them: traits as fields, containers, links, errors. No page is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets
from ipywidgets import interactive

from llmspell_kernel.session.outcome import Failed

if TYPE_CHECKING:
    from tests.session.conftest import Notebook


async def test_traits_are_fields_that_lua_reads_and_sets(notebook: Notebook) -> None:
    assert (
        await notebook.value("s = widgets.IntSlider{min = 0, max = 10}; s.value = 7; return s.value, s.max")
        == "7\t10"
    )
    assert await notebook.value("s.layout.width = '50%'; return s.layout.width") == '"50%"'
    assert await notebook.value("return widgets.DatePicker{value = '2024-02-03'}.value") == '"2024-02-03"'
    assert await notebook.value("return widgets.IntRangeSlider{value = {2, 5}}.value") == "{2, 5}"
    assert await notebook.value("d = widgets.Dropdown{options = {One = 1, Two = 2}}; return d.value") == "1"
    assert await notebook.value("d.options = {'a', 'b'}; d.value = 'b'; return d.index") == "1"
    assert (
        await notebook.value("return widgets.Button('Go').description, widgets.HTML('<b>').value")
        == '"Go"\t"<b>"'
    )
    assert await notebook.value("return tostring(s), s:traits().max") == '"Widget: IntSlider"\t10'


async def test_every_core_widget_is_made_by_its_name(notebook: Notebook) -> None:
    names = [name for name in dir(ipywidgets) if is_core(getattr(ipywidgets, name))]
    assert len(names) > 40
    code = f"""
        local odd = {{}}
        for _, name in ipairs{{ {", ".join(f'"{name}"' for name in names)} }} do
          local maker = widgets[name]
          local made = maker and maker(({{ SelectionRangeSlider = {{ options = {{ "a", "b" }} }},
            SelectionSlider = {{ options = {{ "a", "b" }} }} }})[name] or {{}})
          if not made or tostring(made):match("%a+$") ~= name then odd[#odd + 1] = name end
          if made then made:close() end
        end
        return table.concat(odd, " ")
    """
    assert await notebook.value(code) == '""'


def is_core(found: object) -> bool:
    """Whether it is a class that a page shows by itself; GridspecLayout is filled with slices, which Lua has not."""
    if not isinstance(found, type) or not issubclass(found, ipywidgets.DOMWidget):
        return False
    return not found.__name__.startswith("_") and found not in (
        ipywidgets.DOMWidget,
        ipywidgets.GridspecLayout,
        interactive,
    )


async def test_a_plain_value_is_the_widgets_own_and_closing_twice_is_closing(notebook: Notebook) -> None:
    assert (
        await notebook.value("return widgets.IntSlider(5).value, widgets.Checkbox(true).value") == "5\ttrue"
    )
    code = """
        local b = widgets.Button("Go")
        b:on_click(function() b:close() b:close() print("closed") end)
        b:click() async.sleep(0.1)
        return b
    """
    assert await notebook.value(code) == "Button (closed)"


async def test_containers_hold_widgets_and_give_the_same_ones_back(notebook: Notebook) -> None:
    code = "a, b = widgets.Text('hi'), widgets.Text(); box = widgets.HBox{a, b}; return box.children[1] == a"
    assert await notebook.value(code) == "true"
    assert await notebook.value("box.children = {b}; return #box.children") == "1"
    assert (
        await notebook.value("widgets.link(a, 'value', b, 'value'); a.value = 'both'; return b.value")
        == '"both"'
    )
    assert await notebook.value("return box") == "HBox{Text}"


async def test_mistakes_say_what_is_wrong(notebook: Notebook) -> None:
    for code, told in {
        "widgets.IntSlider{maks = 3}": "IntSlider has no option 'maks'; did you mean 'max'?",
        "widgets.IntSlider{}.valeu = 3": "IntSlider has no field 'valeu'; did you mean 'value'?",
        "widgets.IntSlider{value = 'x'}": "expected an integer, not the string 'x'",
        "widgets.create('IntSlidr')": "there is no widget 'IntSlidr'; did you mean 'IntSlider'?",
        "widgets.IntSlider{}:on_click(print)": "a IntSlider cannot be clicked",
        "interact(print)": "bad argument #2 to 'interact'",
    }.items():
        outcome = await notebook.run(code)
        assert isinstance(outcome, Failed), code
        assert told in outcome.problem.evalue


async def test_plain_values_stand_for_controls_and_functions_get_them_by_name(notebook: Notebook) -> None:
    code = """
        local got
        local box = interact(function(n, f, yes, text, pick) got = { n, f, yes, text, pick } end,
          { n = 10, f = { 0, 1, 0.1 }, yes = true, text = "t", pick = { "a", "b" , "c" } })
        local kinds = {}
        for i, widget in ipairs(box.children) do kinds[i] = tostring(widget):match("%a+$") end
        return table.concat(kinds, " "), table.concat({ got[1], got[2], tostring(got[3]), got[4], got[5] }, " ")
    """
    assert await notebook.value(code) == (
        '"IntSlider FloatSlider Checkbox Text Dropdown Output"\t"10 0.5 true t a"'
    )
    assert (
        await notebook.value("local seen; interact(function(all) seen = all.a end, {a = true}); return seen")
        == "true"
    )


async def test_output_is_captured(notebook: Notebook) -> None:
    assert (
        await notebook.value("""
        out = widgets.Output()
        local sum = out:capture(function(a, b) print("inside"); return a + b end, 1, 2)
        out:append({ 1, 2 })
        return sum
    """)
        == "3"
    )
    assert notebook.last.out == ""
    assert await notebook.value("async.sleep(0.1); return out.outputs[2].data['text/plain']") == ('"{1, 2}"')
    outcome = await notebook.run("out:capture(function() error('broken') end)")
    assert isinstance(outcome, Failed)


async def test_callbacks_of_an_undone_cell_are_gone(notebook: Notebook) -> None:
    await notebook.run("b = widgets.Button('Go'); n = 0; b:on_click(function() n = n + 1 end)")
    await notebook.run("b:click(); async.sleep(0.05)")
    assert await notebook.value("n") == "1"
    await notebook.session.undo(3)
    assert await notebook.value("b") is None
