"""What the widgets are, for completion and the reference; one function of ``widgets`` makes each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmspell_kernel.language.documentation import Documented, Option

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRAITS = Option("options", "table|string", "its fields by name", optional=True)

_CLASSES: dict[str, tuple[str, str]] = {
    "Accordion": ("sections of which one is open", '{ children = { widgets.Label("inside") } }'),
    "AppLayout": ("a header, two sides, a center and a footer", '{ center = widgets.Label("here") }'),
    "Audio": ("a sound with controls", ""),
    "BoundedFloatText": ("a field for a number between `min` and `max`", "{ max = 1.5 }"),
    "BoundedIntText": ("a field for an integer between `min` and `max`", "{ max = 9 }"),
    "Box": ("widgets beside each other", '{ children = { widgets.Label("one") } }'),
    "Button": ("a button; see `on_click`", '"Go"'),
    "Checkbox": ("a box to tick: `value` is true or false", '"Agree"'),
    "ColorPicker": ("a colour to pick", '{ value = "#336699" }'),
    "ColorsInput": ("a list of colours", '{ value = { "red" } }'),
    "Combobox": ("a text field with suggestions", '{ options = { "a", "b" } }'),
    "Controller": ("a game controller's buttons and axes", ""),
    "DatePicker": ("a day", "{}"),
    "DatetimePicker": ("a day and a time of it", "{}"),
    "Dropdown": ("one of `options`, from a menu", '{ options = { "a", "b" } }'),
    "FileUpload": ("a file that the person sends", "{}"),
    "FloatLogSlider": ("a slider over powers of `base`", "{ min = -2, max = 2 }"),
    "FloatProgress": ("a bar that tells how far something is", "{ value = 0.5, max = 1.0 }"),
    "FloatRangeSlider": ("a slider with two ends", "{ max = 1.0 }"),
    "FloatSlider": ("a slider over numbers", "{ max = 1.0, step = 0.1 }"),
    "FloatText": ("a field for a number", "{ value = 0.5 }"),
    "FloatsInput": ("a list of numbers", "{ value = { 0.5 } }"),
    "GridBox": ("widgets in a grid", '{ children = { widgets.Label("one") } }'),
    "HBox": ("widgets from left to right", '{ children = { widgets.Label("one"), widgets.Label("two") } }'),
    "HTML": ("text with markup", '"<b>bold</b>"'),
    "HTMLMath": ("text with markup and formulas", '"$x^2$"'),
    "Image": ("a picture: `value` is its bytes", "{}"),
    "IntProgress": ("a bar that tells how far something is", "{ value = 5, max = 10 }"),
    "IntRangeSlider": ("a slider with two ends", "{ max = 10 }"),
    "IntSlider": ("a slider over integers", "{ max = 10 }"),
    "IntText": ("a field for an integer", "{ value = 5 }"),
    "IntsInput": ("a list of integers", "{ value = { 1, 2 } }"),
    "Label": ("a line of text", '"Name"'),
    "Layout": ("widths, margins and such, for the field `layout`", '{ width = "50%" }'),
    "NaiveDatetimePicker": ("a day and a time of it, without a zone", "{}"),
    "Output": ("a place for output; see `capture` and `append`", ""),
    "Password": ("a field that hides what is typed", "{}"),
    "Play": ("counts up as an animation does", "{ max = 10 }"),
    "RadioButtons": ("one of `options`, all of them to be seen", '{ options = { "a", "b" } }'),
    "Select": ("one of `options`, from a list", '{ options = { "a", "b" } }'),
    "SelectMultiple": ("some of `options`", '{ options = { "a", "b" } }'),
    "SelectionRangeSlider": ("a range of `options`", '{ options = { "a", "b", "c" } }'),
    "SelectionSlider": ("one of `options`, by a slider", '{ options = { "a", "b" } }'),
    "Stack": ("widgets of which one is shown", '{ children = { widgets.Label("one") } }'),
    "Tab": ("pages with tabs", '{ children = { widgets.Label("inside") } }'),
    "TagsInput": ("a list of words", '{ value = { "a" } }'),
    "Text": ("a line to write in", '"Ada"'),
    "Textarea": ("lines to write in", '"Ada"'),
    "TimePicker": ("a time of the day", "{}"),
    "ToggleButton": ("a button that stays down: `value` is true or false", '"Loud"'),
    "ToggleButtons": ("one of `options`, as buttons", '{ options = { "a", "b" } }'),
    "TwoByTwoLayout": ("four places", '{ top_left = widgets.Label("here") }'),
    "VBox": ("widgets from top to bottom", '{ children = { widgets.Label("one"), widgets.Label("two") } }'),
    "Valid": ("a mark for right or wrong", "{ value = true }"),
    "Video": ("a film with controls", ""),
}


def documented() -> Iterator[Documented]:
    """One record for each function that makes a widget."""
    for name, (what, options) in _CLASSES.items():
        yield Documented(
            f"widgets.{name}",
            "function",
            f"Makes {what}."
            if what.startswith(("a ", "an ", "one ", "some "))
            else f"Makes a widget: {what}.",
            parameters=(_TRAITS,),
            returns=(Option("widget", "Widget"),),
            example=f"widgets.{name}({options})",
        )
