"""Small functions of the modules, at their edges: those that have no test of their own elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .spells import server, spells

if TYPE_CHECKING:
    from .spells import Spells

__all__ = ("server", "spells")

pytestmark = pytest.mark.asyncio(loop_scope="module")

CASES = {
    "json.pretty": ("print(json.pretty({a = {1}}))", '{\n  "a": [\n    1\n  ]\n}'),
    "json.is_null": (
        "print(json.is_null(json.null), json.is_null(nil), json.is_null(false))",
        "true\tfalse\tfalse",
    ),
    "data.count_by": (
        "local c = data.count_by({{k = 'x'}, {k = 'y'}, {k = 'x'}}, 'k') print(c.x, c.y, c.z)",
        "2\t1\tnil",
    ),
    "data.sort_by": (
        "local r = data.sort_by({{n = 1, s = 'b'}, {n = 0, s = 'c'}, {n = 1, s = 'a'}}, 'n') "
        "print(r[1].s, r[2].s, r[3].s) print(#data.sort_by({}, 'n'))",
        "c\tb\ta\n0",
    ),
    "data.unique": (
        "print(#data.unique({{id = 1}, {id = 1}, {id = 2}}, 'id'), #data.unique({1, 1.0, '1'}), #data.unique({}))",
        "2\t2\t0",
    ),
    "data.from_entries": (
        "local m = data.from_entries(data.entries({a = 1, b = false})) print(m.a, m.b)",
        "1\tfalse",
    ),
    "data.is_list": (
        "print(data.is_list({}), data.is_list({1, nil, 3}), data.is_list({[0] = 1}), data.is_list('x'))",
        "false\tfalse\tfalse\tfalse",
    ),
    "data.omit": (
        "local t = {a = 1, b = 2} local o = data.omit(t, {'a', 'none'}) print(o.a, o.b, t.a)",
        "nil\t2\t1",
    ),
    "data.deep_merge": (
        "local a = {x = {y = 1}} local m = data.deep_merge(a, {x = {z = 2}}) m.x.y = 9 print(m.x.z, a.x.y, a.x.z)",
        "2\t1\tnil",
    ),
    "data.get_path, data.set_path": (
        "local t = data.set_path({}, 'a[2].b', 5) print(t.a[2].b, t.a[1], data.get_path(t, 'a[2].c.d', 'none'))",
        "5\tnil\tnone",
    ),
    "data.to_yaml, data.to_csv, data.parse_xml": (
        "local v = data.parse_yaml(data.to_yaml({b = {1, 'x: y'}, a = 'yes'})) print(v.b[2], v.a, type(v.b[1])) "
        "print((data.to_csv({{a = 1, b = 'x,\"y'}}):gsub('\\n', '|'))) "
        "print(data.parse_xml('<r a=\"1\">t<b/>u</r>').text, "
        "data.parse_xml('<!DOCTYPE r [<!ENTITY e \"x\">]><r>&e;</r>'))",
        'x: y\tyes\tnumber\na,b|1,"x,""y"|\n'
        "tu\tnil\tnot XML: line 1, column 25: it declares entities of its own, which are not read",
    ),
    "data.convert_format, data.parse_json": (
        "local json = '[1,{\"a\":null}]' "
        "print(data.convert_format(json, 'json', 'yaml') == data.convert(json, 'json', 'yaml')) "
        "print(data.parse_json('[1.5]')[1], (select(2, data.parse_json('[1'))) ~= nil)",
        "true\n1.5\ttrue",
    ),
    "Emitter:once, Emitter:listeners, Emitter:event_names": (
        "local d, n = events.create_emitter(), 0 local function f() n = n + 1 end "
        "d:once('a', f):on('b.*', f) d:emit('a') d:emit('a') d:emit('b.x') "
        "print(n, #d:listeners('a'), #d:listeners('b.y'), table.concat(d:event_names(), ' '))",
        "2\t0\t1\tb.*",
    ),
    "events.once": (
        "local n = 0 events.once('small.once', function() n = n + 1 end) events.emit('small.once') "
        "print(n, events.emit('small.once'), n)",
        "1\tfalse\t1",
    ),
    "log.info of values": (
        "log.info({a = {1}}) log.info(5, {'x', [true] = 1, ['two words'] = 'y z'})",
        'info  {a = {1}}\ninfo  5 true=1 1=x "two words"="y z"',
    ),
    "log.configure with a sink that logs": (
        "log.configure{sink = function(line) log.info('told of ' .. line.message) async.sleep(0) end} "
        "log.info('this') log.configure{sink = false}",
        "info  told of this\ninfo  this",
    ),
    "errors.retry with a wait that is none": (
        "for _, wait in ipairs{'soon', 0/0} do "
        "print(pcall(errors.retry, error, {backoff = function() return wait end})) end",
        "false\tHERE: the function 'backoff' of 'errors.retry' gave a string, and seconds are expected\n"
        "false\tHERE: the function 'backoff' of 'errors.retry' gave NaN, and seconds are expected",
    ),
    "errors.circuit_breaker that is open": (
        "local ask = errors.circuit_breaker(function() return nil, 'no' end, {threshold = 1}) ask() "
        "print(select(2, ask()).message)",
        "not called: it has failed the last time",
    ),
    "observability: numbers that are not finite": (
        "local o = observability local function told(...) print(select(2, pcall(...))) end "
        "told(o.counter('f.c').add, 1/0) told(o.gauge('f.g').set, -(0/0)) told(o.histogram('f.h').record, 0/0) "
        "told(o.gauge('f.g').add, -1/0) told(o.counter, '')",
        "HERE: bad argument #1 to 'counter:add' (a finite number expected, got inf)\n"
        "HERE: bad argument #1 to 'gauge:set' (a finite number expected, got NaN)\n"
        "HERE: bad argument #1 to 'histogram:record' (a finite number expected, got NaN)\n"
        "HERE: bad argument #1 to 'gauge:add' (a finite number expected, got -inf)\n"
        "HERE: bad argument #1 to 'observability.counter' (the name is empty)",
    ),
    "observability: attributes that are tables": (
        "observability.with_span('odd', function(s) s:set_attribute('list', {1, {2}}) end) "
        "local all = observability.spans() print(all[#all].attributes.list)",
        "{1, {2}}",
    ),
    "log": (
        "log.set_level('warn') print(log.get_level(), log.is_enabled('info'), log.is_enabled('error')) "
        "log.set_level('info') print(log.get_level(), pcall(log.is_enabled, 'loud'))",
        "warn\tfalse\ttrue\ninfo\tfalse\t"
        "HERE: bad argument #1 to 'log.is_enabled' ('debug', 'info', 'warn', 'error' or 'off' expected, got 'loud')",
    ),
    "errors.aggregate": (
        "local e = errors.aggregate({'a', errors.new('full', 'b')}) "
        "print(e, #e.errors, e.errors[2].code, e.errors[1].code)",
        "2 errors: a; b\t2\tfull\terror",
    ),
    "errors.is_error, is_type, is_retryable": (
        "local inner = errors.new('busy', 'x', {retryable = true}) local outer = inner:wrap('y') "
        "print(errors.is_error(outer), errors.is_error(nil), errors.is_type(outer, 'busy'), "
        "errors.is_type('x', 'busy'), "
        "errors.is_retryable(inner), errors.is_retryable('x'))",
        "true\tfalse\ttrue\tfalse\ttrue\tfalse",
    ),
    "errors.fallback": (
        "local f = errors.fallback(function(x) if x == 1 then return nil, 'no' elseif x == 2 then error('no') end "
        "return x end, function(x) return 'instead ' .. x end) print(f(1), f(2), f(3))",
        "instead 1\tinstead 2\t3",
    ),
    "errors.from": (
        "local e = errors.from(select(2, pcall(error, 'broke'))) local same = errors.new('c', 'm') "
        "print(e.code, e.message, errors.from(same) == same)",
        "error\tbroke\ttrue",
    ),
    "Error:add_detail": (
        "local e = errors.new('c', 'm') print(e:add_detail('a', 1) == e, e.details.a, pcall(e.add_detail, e))",
        "true\t1\tfalse\tHERE: bad argument #1 to 'err:add_detail' (string expected, got nil)",
    ),
    "observability.track, Span:record_error": (
        "local f = observability.track(function(x) if not x then error('no', 0) end return x, 2 end, 'small.track') "
        "print(f(1)) print(pcall(f)) local s for _, span in ipairs(observability.spans()) do "
        "if span.name == 'small.track' then s = span end end print(s.status)",
        "1\t2\nfalse\tno\nerror",
    ),
    "expectations": (
        "local e = testing.expect e(nil):to_be_falsy() e({x = false}):to_have_key('x', false) e(''):to_be_empty() "
        "e(1):to_be_less_than(2) print(pcall(function() e(0):to_be_falsy() end)) "
        "print(pcall(function() e({x = 1}):to_have_key('x', 2) end)) "
        "print(pcall(function() e(2):to_be_less_than(2) end)) "
        "print(pcall(function() e({1}):to_be_empty() end))",
        'false\tHERE: expected 0 to be nil or false\nfalse\tHERE: expected {x = 1} to have the key "x" = 2\n'
        "false\tHERE: expected 2 to be less than 2\nfalse\tHERE: expected {1} to be empty",
    ),
    "spell.libraries": (
        "spell.library('b', {}) spell.library('a', {}) print(table.concat(spell.libraries(), ' '))",
        "a b",
    ),
    "parallel.cores": ("print(math.type(parallel.cores()), parallel.cores() >= 1)", "integer\ttrue"),
    "utils": (
        "print(utils.current_time() - os.time(), utils.format_time(0, '!%Y-%m-%d'), #utils.format_time(0)) "
        "print(pcall(utils.list_files, '/etc'))",
        "0\t1970-01-01\t19\nfalse\treading /etc is not granted",
    ),
    "math.frexp": (
        "print(math.frexp(8)) print(math.frexp(-0.3)) print(math.frexp(5e-324)) print(math.frexp(2.0 ^ 1023)) "
        "print(math.frexp(0)) print(math.frexp(1/0))",
        "0.5\t4\n-0.6\t-1\n0.5\t-1073\n0.5\t1024\n0.0\t0\ninf\t0",
    ),
    "compat.loadstring": (
        "print(compat.loadstring('return ...', 'c')(7), compat.loadstring('('))",
        '7\tnil\t[string "("]:1: unexpected symbol near <eof>',
    ),
    "async.channel": ("local ch = async.channel(1) ch:send('x') print(ch:receive())", "true\tx"),
}


@pytest.mark.parametrize("name", CASES)
async def test_what_it_gives(spells: Spells, name: str) -> None:
    code, expected = CASES[name]
    shown = await spells.shown(code)
    assert shown.replace(f"cell {spells.count}:1", "HERE") == f"{expected}\n"
