"""Load filters: what is told, and what they leave of our requests (RFC 7200)."""

from __future__ import annotations

import calendar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox.errors import ParseError
from trivox.sip.dates import seconds_of_untrusted, written
from trivox.sip.event_packages import value_untrusted
from trivox.sip.load_control import (
    LOAD_CONTROL_TYPE,
    MAX_RULES,
    CallIdentity,
    LoadControl,
    LoadIdentity,
    LoadRule,
)
from trivox.sip.load_filter import FILTERED, Claim, LoadFilter, Outgoing, is_same, number_of

TODAY = float(calendar.timegm((2026, 5, 31, 12, 0, 0)))
HOUR = 3600.0
HEAD = (
    '<ruleset xmlns="urn:ietf:params:xml:ns:common-policy" '
    'xmlns:lc="urn:ietf:params:xml:ns:load-control" version="0" state="full">'
)
EXAMPLE = f"""<?xml version="1.0" encoding="UTF-8"?>
{HEAD}
  <rule id="hotline">
    <conditions>
      <lc:call-identity><lc:sip>
        <lc:to><one id="sip:alice@hotline.example.com"/><one id="tel:+1-212-555-1234"/></lc:to>
        <lc:from><many domain="example.com"><except id="sip:bob@example.com"/></many></lc:from>
      </lc:sip></lc:call-identity>
      <lc:method>INVITE</lc:method>
      <validity>
        <from>2026-05-31T12:00:00-05:00</from><until>2026-05-31T15:00:00-05:00</until>
      </validity>
    </conditions>
    <actions><lc:accept alt-action="redirect" alt-target="sip:machine@example.com">
      <lc:rate>100</lc:rate>
    </lc:accept></actions>
  </rule>
</ruleset>""".encode()


def rule(name: str = "1", **fields: object) -> LoadRule:
    return LoadRule(id=name, **({"percent": 0.0} | fields))


def meant(field: str = "callees", **identity: object) -> LoadRule:
    call = CallIdentity(**{field: (LoadIdentity(**identity),)})
    return rule(calls=(call,))


def asked(target: str = "sip:alice@hotline.example.com", **fields: object) -> Outgoing:
    return Outgoing(
        **({"method": "INVITE", "caller": "sip:carl@example.com"} | fields), target=target
    )


def filtering(*rules: LoadRule, **fields: object) -> LoadFilter:
    machine = LoadFilter()
    machine.take(LoadControl(rules=rules, **fields), "server")
    return machine


def held(machine: LoadFilter, request: Outgoing, *, now=0.0, today=TODAY, drawn=0.5) -> bool:
    """Ask, and count what is let out."""
    if machine.refusal(request, now, today, lambda: drawn) is not None:
        return True
    machine.count(request, now, today, Claim(now))
    return False


# What is told.


def test_a_document_is_read() -> None:
    """RFC 7200 §5: conditions and actions of a rule."""
    (found,) = LoadControl.parse_untrusted(EXAMPLE).rules

    assert found.id == "hotline"
    assert found.methods == ("INVITE",)
    assert (found.rate, found.percent) == (100.0, None)
    assert (found.alternative, found.alternative_target) == ("redirect", "sip:machine@example.com")
    assert [call.callees for call in found.calls] == [
        (LoadIdentity(uri="sip:alice@hotline.example.com"), LoadIdentity(uri="tel:+1-212-555-1234"))
    ]
    assert [call.callers for call in found.calls] == [
        (LoadIdentity(domain="example.com", excepted=("sip:bob@example.com",)),)
    ]
    assert found.validity == ((TODAY + 5 * HOUR, TODAY + 8 * HOUR),)
    assert found.is_understood


def test_what_is_written_is_read_again() -> None:
    """RFC 7200 §4.5: a notifier tells a document of this kind."""
    call = CallIdentity(
        callers=(LoadIdentity(),),
        callees=(LoadIdentity(prefix="+1-212", excepted=("+1-212-555", "tel:+12126660000")),),
        targets=(LoadIdentity(domain="x", excepted=("y", "sip:a@x")),),
        asserted=(LoadIdentity(uri='sip:"&<@x'),),
    )
    period = (TODAY, TODAY + 24 * HOUR)
    told = LoadControl(
        version=7,
        is_full=False,
        rules=(
            rule("a&b", calls=(call,), methods=("INVITE", "MESSAGE"), percent=12.5),
            rule("b", entity="sip:edge@x", validity=(period, period), percent=None, rate=0.5),
            rule("c", alternative="redirect", alternative_target="sip:m@x"),
            rule("d", percent=None, window=3.0),
        ),
    )

    assert LoadControl.parse_untrusted(told.to_body()) == told
    assert value_untrusted(LOAD_CONTROL_TYPE, told.to_body()) == told


def document(
    conditions: str = "", accept: str = "<lc:percent>0</lc:percent>", **more: str
) -> bytes:
    name = more.get("name", 'id="1"')
    actions = more.get("actions", f"<actions><lc:accept>{accept}</lc:accept></actions>")
    return f"{HEAD}<rule {name}>{conditions}{actions}</rule></ruleset>".encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<ruleset/>",
        EXAMPLE.replace(b"ruleset", b"rules"),
        b"<!DOCTYPE x>" + document(),
        document(name=""),
        document(accept="<lc:rate>-1</lc:rate>"),
        document(accept="<lc:rate>1e400</lc:rate>"),
        document(accept="<lc:percent/>"),
        document("<conditions><validity/></conditions>"),
        document("<conditions><validity><from>x</from><until>y</until></validity></conditions>"),
        document("<conditions><validity><from>2026-01-01</from></validity></conditions>"),
        HEAD.encode() + b'<rule id="1"/>' * (MAX_RULES + 1) + b"</ruleset>",
    ],
)
def test_what_cannot_be_read_is_a_parse_error(body) -> None:
    with pytest.raises(ParseError):
        LoadControl.parse_untrusted(body)


@pytest.mark.parametrize(
    "body",
    [
        document("<conditions><sphere value='home'/></conditions>"),
        document("<conditions><lc:call-identity/></conditions>"),
        document("<conditions><lc:call-identity><lc:x/></lc:call-identity></conditions>"),
        document("<conditions><lc:call-identity><lc:sip/></lc:call-identity></conditions>"),
        document(
            "<conditions><lc:call-identity><lc:sip><lc:via/></lc:sip></lc:call-identity></conditions>"
        ),
        document(
            "<conditions><lc:call-identity><lc:sip><lc:to><one/></lc:to></lc:sip>"
            "</lc:call-identity></conditions>"
        ),
        document(actions=""),
        document(actions="<actions/>"),
    ],
)
def test_a_rule_that_is_not_understood_stands_for_nothing(body) -> None:
    """RFC 4745 §7: a condition nobody here knows is not fulfilled."""
    told = LoadControl.parse_untrusted(body)

    assert not told.rules[0].is_understood
    assert not held(filtering(*told.rules), asked())


def test_an_unknown_way_to_refuse_is_a_refusal() -> None:
    actions = '<actions><lc:accept alt-action="x"><lc:rate>0</lc:rate></lc:accept></actions>'
    (found,) = LoadControl.parse_untrusted(document(actions=actions)).rules

    assert found.alternative == "reject"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01T00:00:00", 0.0),
        (" 2026-05-31T07:00:00.5-05:00 ", TODAY + 0.5),
        ("2026-05-31T17:30:00+05:30", TODAY),
        ("2024-02-29T00:00:00Z", float(calendar.timegm((2024, 2, 29, 0, 0, 0)))),
        ("2000-12-31T23:59:60Z", float(calendar.timegm((2001, 1, 1, 0, 0, 0)))),
    ],
)
def test_a_date_is_read(text, seconds) -> None:
    assert seconds_of_untrusted(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-05-31", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z"),
        *("2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-01-00T00:00:00Z"),
        *("2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z"),
        *("2026-01-01T00:00:00z5", "٢٠٢٦-01-01T00:00:00Z"),
    ],
)
def test_what_is_no_date_is_a_parse_error(text) -> None:
    with pytest.raises(ParseError):
        seconds_of_untrusted(text)


@given(st.datetimes())
def test_a_date_that_is_written_is_the_same_when_read(moment) -> None:
    seconds = float(calendar.timegm(moment.timetuple()))

    assert written(seconds) == moment.replace(microsecond=0).isoformat() + "Z"
    assert seconds_of_untrusted(written(seconds)) == seconds


@given(st.binary(max_size=200))
def test_any_body_is_a_document_or_a_parse_error(body) -> None:
    try:
        LoadControl.parse_untrusted(body)
    except ParseError:
        return
    raise AssertionError("no such body is a document")


# Which requests are meant.


@pytest.mark.parametrize(
    ("given_rule", "target", "expected"),
    [
        (meant(), "sip:x@y", True),
        (meant(uri="sip:alice@Hotline.example.com;transport=tcp"), asked().target, True),
        (meant(uri="sip:bob@hotline.example.com"), asked().target, False),
        (meant(uri="tel:+1-212-555-1234"), "sip:+12125551234@gw;user=phone", True),
        (meant(uri="sip:100@a"), "sip:100@b", False),
        (meant(uri="no uri"), asked().target, False),
        (meant(domain="HOTLINE.example.com"), asked().target, True),
        (meant(domain="example.com"), asked().target, False),
        (meant(domain="x", excepted=("sip:a@x",)), "sip:a@x", False),
        (meant(excepted=("x",)), "sip:a@x", False),
        (meant(excepted=("x",)), "sip:a@y", True),
        (meant(domain="x"), "no uri", False),
        (meant(prefix="+1-212"), "tel:+1(212)5551234", True),
        (meant(prefix="+1-212"), "sip:+13125551234@gw", False),
        (meant(prefix="+1-212"), "sip:alice@gw", False),
        (meant(prefix="+1-212", excepted=("+1-212-555",)), "sip:+12125551234@gw", False),
        (meant(prefix="+1", excepted=("tel:+1-212-555-1234",)), "sip:+12125551234@gw", False),
        (meant("targets", domain="x"), "sip:a@x", True),
        (meant("callers", domain="example.com"), "sip:a@x", True),
        (meant("callers", domain="elsewhere"), "sip:a@x", False),
        (meant("asserted", domain="example.com"), "sip:a@x", False),
    ],
)
def test_a_call_is_told_by_who_is_in_it(given_rule, target, expected) -> None:
    """RFC 7200 §5.3.1: From, To, Request-URI, P-Asserted-Identity; users, domains and numbers."""
    assert held(filtering(given_rule), asked(target)) is expected


def test_all_headers_of_one_identity_have_to_fit() -> None:
    """RFC 7200 §5.3.1."""
    asserted = (LoadIdentity(uri="sip:carl@example.com"),)
    both = CallIdentity(callees=(LoadIdentity(domain="x"),), asserted=asserted)
    machine = filtering(rule(calls=(both,)))

    assert not held(machine, asked("sip:a@x"))
    assert not held(machine, asked("sip:a@y", asserted=("sip:carl@example.com",)))
    assert held(machine, asked("sip:a@x", asserted=("sip:z@z", "sip:carl@example.com")))


def test_a_rule_is_of_its_methods_and_else_of_all_that_begin_something() -> None:
    """RFC 7200 §5.3.2: what is within a dialog, or ends one, is never held back."""
    calls, all_of_them = filtering(rule(methods=("INVITE",))), filtering(rule())

    assert held(calls, asked())
    assert not held(calls, asked(method="MESSAGE"))
    assert {method for method in FILTERED if held(all_of_them, asked(method=method))} == FILTERED
    assert not held(all_of_them, asked(method="BYE"))


def test_a_rule_is_of_its_next_hop() -> None:
    """RFC 7200 §5.3.3."""
    machine = filtering(rule(entity="sip:Edge.example.com"))

    assert not held(machine, asked(hops=frozenset({"other.example.com"})))
    assert held(machine, asked(hops=frozenset({"edge.example.com", "10.0.0.1"})))


def test_a_rule_stands_while_it_is_valid() -> None:
    """RFC 7200 §5.3.4: from its begin, up to its end, in whatever zone."""
    machine = filtering(rule(validity=((TODAY, TODAY + HOUR),)))

    assert held(machine, asked(), today=TODAY)
    assert not held(machine, asked(), today=TODAY - 1)
    assert not held(machine, asked(), today=TODAY + HOUR)


# How many are let out.


def test_a_rate_lets_out_so_many_a_second() -> None:
    """RFC 7200 §5.4: `rate`, beginning with what is accepted in a second."""
    machine = filtering(rule(percent=None, rate=2.0))
    at = [0.0, 0.0, 0.0, 0.4, 0.5, 0.6, 1.0, 60.0, 60.0, 60.0]

    assert [held(machine, asked(), now=now) for now in at] == [
        *(False, False, True, True, False, True, False, False, False, True)
    ]


def test_a_rate_below_one_lets_one_out_now_and_then() -> None:
    machine = filtering(rule(percent=None, rate=0.1))

    assert [held(machine, asked(), now=now) for now in (0.0, 9.0, 10.0)] == [False, True, False]


def test_a_rate_of_nothing_lets_nothing_out() -> None:
    machine = filtering(rule(percent=None, rate=0.0))

    assert held(machine, asked())
    assert held(machine, asked(), now=100.0)


def test_a_percentage_is_drawn() -> None:
    """RFC 7200 §5.4: `percent`."""
    machine = filtering(rule(percent=40.0))

    assert not held(machine, asked(), drawn=0.39)
    assert held(machine, asked(), drawn=0.4)
    assert not held(filtering(rule(percent=100.0)), asked(), drawn=0.999)


def test_a_request_that_one_rule_holds_back_uses_nothing_of_another_up() -> None:
    machine = filtering(rule("a", percent=None, rate=1.0), rule("b", percent=50.0))

    assert held(machine, asked(), drawn=0.9)
    assert not held(machine, asked(), drawn=0.1)
    assert held(machine, asked(), drawn=0.1)


def test_a_window_has_a_place_for_so_many_at_once() -> None:
    """RFC 7200 §5.4: `win`; a place is free again with the final response."""
    machine = filtering(rule(percent=None, window=2.0))
    claims = [Claim(0.0), Claim(0.0)]

    assert [machine.count(asked(), 0.0, TODAY, claim) for claim in claims] == [True, True]
    assert machine.refusal(asked(), 0.0, TODAY, lambda: 0.5) is not None
    claims[0].settle()
    assert [claim.is_settled for claim in claims] == [True, False]
    assert machine.refusal(asked(), 0.0, TODAY, lambda: 0.5) is None


def test_a_place_is_kept_for_what_has_left_and_not_long_for_what_never_does() -> None:
    machine = filtering(rule(percent=None, window=1.0))
    assert not held(machine, asked(), now=0.0)
    assert held(machine, asked(), now=31.9)

    claim = Claim(32.0)
    assert machine.refusal(asked(), 32.0, TODAY, lambda: 0.5) is None
    machine.count(asked(), 32.0, TODAY, claim)
    claim.take()
    assert held(machine, asked(), now=9999.0)


def test_a_window_of_nothing_lets_nothing_out_and_one_that_is_told_again_stays_full() -> None:
    machine = filtering(rule(percent=None, window=1.0))
    assert held(filtering(rule(percent=None, window=0.0)), asked())
    assert not held(machine, asked())

    machine.take(LoadControl(version=1, rules=(rule(percent=None, window=1.0),)), "server")
    assert held(machine, asked())
    machine.take(LoadControl(version=2), "server")
    machine.take(LoadControl(version=3, rules=(rule(percent=None, window=1.0),)), "server")
    assert not held(machine, asked())


def test_a_rule_without_methods_is_not_of_registrations() -> None:
    """RFC 7200 §5.3.2: a rule may name REGISTER."""
    assert not held(filtering(rule()), asked(method="REGISTER"))
    assert held(filtering(rule(methods=("REGISTER",))), asked(method="REGISTER"))


# What stands.


def test_a_full_document_replaces_all_and_a_partial_one_what_it_names() -> None:
    """RFC 7200 §4.11."""
    machine = filtering(rule("a"), rule("b"), version=1)
    machine.take(LoadControl(version=2, is_full=False, rules=(rule("b", percent=9.0),)), "server")
    assert [(one.id, one.percent) for one in machine.rules] == [("a", 0.0), ("b", 9.0)]

    machine.take(LoadControl(version=3, rules=(rule("c"),)), "server")
    assert [one.id for one in machine.rules] == ["c"]


def test_partial_documents_do_not_add_up_without_end() -> None:
    """Of more rules than one document may have those go that were told of longest ago."""
    machine = filtering(rule("old"), rule("renewed"))
    for version in range(1, 2 * MAX_RULES):
        told = (rule(str(version)), rule("renewed"))
        machine.take(LoadControl(version=version, is_full=False, rules=told), "server")

    names = [one.id for one in machine.rules]
    assert len(names) == MAX_RULES
    assert names[-2:] == [str(2 * MAX_RULES - 1), "renewed"]
    assert "old" not in names


def test_an_old_document_is_passed_over_but_of_another_subscription() -> None:
    """RFC 7200 §4.11: versions begin anew with each subscription."""
    machine = filtering(rule("a"), version=5)
    machine.take(LoadControl(version=5), "server")
    assert len(machine.rules) == 1

    machine.take(LoadControl(version=0), "server again")
    assert machine.rules == ()


def test_what_is_dropped_holds_nothing_back() -> None:
    machine = filtering(rule())
    machine.clear()

    assert not held(machine, asked())


def test_a_rate_goes_on_when_its_rule_is_told_again() -> None:
    machine = filtering(rule(percent=None, rate=1.0))
    assert not held(machine, asked())
    machine.take(LoadControl(version=1, rules=(rule(percent=None, rate=1.0),)), "server")

    assert held(machine, asked(), now=0.5)


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("tel:+1-212;phone-context=x", "+1212"),
        ("sip:100@x", "100"),
        ("sip:alice@x", ""),
        ("sip:100", ""),
        ("mailto:1@x", ""),
        ("tel:", ""),
    ],
)
def test_a_number_is_told_from_a_name(uri, number) -> None:
    assert number_of(uri) == number


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_two_texts_can_be_compared(one, other) -> None:
    assert is_same(one, other) is is_same(other, one)
