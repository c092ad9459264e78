"""Load filters as an event: `load-control` (RFC 7200): what a server wants left out, of which calls."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, final
from xml.sax.saxutils import escape, quoteattr

from trivox.errors import ParseError
from trivox.sip.dates import seconds_of_untrusted, written
from trivox.sip.xml_body import parse_xml_untrusted, version_untrusted

if TYPE_CHECKING:
    from trivox.sip.xml_body import Element

LOAD_CONTROL: Final = "load-control"
LOAD_CONTROL_TYPE: Final = "application/load-control+xml"
MAX_RULES: Final = 256
_POLICY: Final = "urn:ietf:params:xml:ns:common-policy"
_NAMESPACE: Final = "urn:ietf:params:xml:ns:load-control"
_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_CONDITIONS: Final = frozenset({"call-identity", "method", "target-sip-entity", "validity"})
_HEADERS: Final = {
    "from": "callers",
    "to": "callees",
    "request-uri": "targets",
    "p-asserted-identity": "asserted",
}
_ALTERNATIVES: Final = frozenset({"reject", "redirect", "drop"})
Period = tuple[float, float]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LoadIdentity:
    """One address, or many of a kind (RFC 7200 §5.3.1). With no field set it is anybody.

    Attributes:
        uri: Just this one, "sip:…" or "tel:…".
        domain: All of this domain.
        prefix: All numbers that begin so, "+1-212".
        excepted: But for these: URIs, domains, or prefixes of numbers, as the field above is.
    """

    uri: str = ""
    domain: str = ""
    prefix: str = ""
    excepted: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CallIdentity:
    """Which calls a rule is about: those that fit every field that is set, by one of its entries.

    Attributes:
        callers: By From.
        callees: By To.
        targets: By Request-URI.
        asserted: By P-Asserted-Identity.
    """

    callers: tuple[LoadIdentity, ...] = ()
    callees: tuple[LoadIdentity, ...] = ()
    targets: tuple[LoadIdentity, ...] = ()
    asserted: tuple[LoadIdentity, ...] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRule:
    """One filter: how many of which requests are accepted (RFC 7200 §5).

    Attributes:
        id: Its name; a later rule of that name replaces it.
        calls: Which calls, any of these; empty: all.
        methods: Of which methods; empty: of all that begin something.
        entity: URI of the next hop it is about; empty: whatever that is (§5.3.3).
        validity: From when until when, seconds since 1970 in UTC; empty: as long as it stands.
        rate: Requests accepted a second, or None.
        percent: Per cent accepted, or None.
        window: Requests accepted that wait for their final response at once, or None.
        alternative: What becomes of the others: "reject", "redirect" or "drop".
        alternative_target: Where "redirect" sends them.
        is_understood: Whether all its conditions are known here, and its limit; else it stands
            for nothing (RFC 4745 §7).
    """

    id: str
    calls: tuple[CallIdentity, ...] = ()
    methods: tuple[str, ...] = ()
    entity: str = ""
    validity: tuple[Period, ...] = ()
    rate: float | None = None
    percent: float | None = None
    window: float | None = None
    alternative: str = "reject"
    alternative_target: str = ""
    is_understood: bool = True


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LoadControl:
    """The filters of a server.

    Attributes:
        version: Grows with each document.
        is_full: Whether these are all its rules, or those that are new or changed (§4.11).
        rules: The rules, 256 at most.
    """

    version: int = 0
    is_full: bool = True
    rules: tuple[LoadRule, ...] = ()

    @classmethod
    def parse_untrusted(cls, body: bytes) -> Self:
        """Read a body of the type application/load-control+xml. Raises ParseError."""
        root = parse_xml_untrusted(body, "ruleset")
        found = [child for child in root.children if child.name == "rule"]
        if len(found) > MAX_RULES:
            raise ParseError(f"more than {MAX_RULES} rules in one document")
        return cls(
            version=version_untrusted(root),
            is_full=root.attributes.get("state") != "partial",
            rules=tuple(map(_rule_untrusted, found)),
        )

    def to_body(self) -> bytes:
        """Return the body of a NOTIFY that tells these."""
        state = "full" if self.is_full else "partial"
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<ruleset xmlns="{_POLICY}" '
            f'xmlns:lc="{_NAMESPACE}" version="{self.version}" state="{state}">\n'
            f"{''.join(map(_written, self.rules))}</ruleset>\n"
        ).encode("utf-8", "replace")


def _rule_untrusted(element: Element) -> LoadRule:
    name = element.attributes.get("id", "")
    if not name:
        raise ParseError("a rule has an id")
    conditions, actions = element.child("conditions"), element.child("actions")
    given = conditions.children if conditions is not None else []
    accept = actions.child("accept") if actions is not None else None
    calls = [_calls_untrusted(child) for child in given if child.name == "call-identity"]
    rate, percent, window = (_number_untrusted(accept, one) for one in ("rate", "percent", "win"))
    chosen = accept.attributes.get("alt-action", "reject") if accept is not None else "reject"
    is_known = all(child.name in _CONDITIONS for child in given) and None not in calls
    return LoadRule(
        id=name,
        calls=tuple(call for found in calls if found is not None for call in found),
        methods=tuple(child.text.strip() for child in given if child.name == "method"),
        entity=conditions.text_of("target-sip-entity") if conditions is not None else "",
        validity=tuple(
            period for child in given if child.name == "validity" for period in _periods(child)
        ),
        rate=rate,
        percent=percent,
        window=window,
        alternative=chosen if chosen in _ALTERNATIVES else "reject",
        alternative_target=accept.attributes.get("alt-target", "") if accept is not None else "",
        is_understood=is_known and not rate is percent is window is None,
    )


def _calls_untrusted(element: Element) -> tuple[CallIdentity, ...] | None:
    """Return the calls that are meant; None where something is not known here."""
    found = []
    for child in element.children:
        fields = {}
        for header in child.children:
            identities = [_identity_untrusted(entry) for entry in header.children]
            if header.name not in _HEADERS or None in identities:
                return None
            fields[_HEADERS[header.name]] = tuple(one for one in identities if one is not None)
        if child.name != "sip" or not fields:
            return None
        found.append(CallIdentity(**fields))
    return tuple(found) or None


def _identity_untrusted(element: Element) -> LoadIdentity | None:
    given = element.attributes
    excepted = tuple(
        child.attributes.get("id")
        or child.attributes.get("domain", "")
        or child.attributes.get("prefix", "")
        for child in element.children
    )
    match element.name:
        case "one" if given.get("id"):
            return LoadIdentity(uri=given["id"])
        case "many":
            return LoadIdentity(domain=given.get("domain", ""), excepted=excepted)
        case "many-tel":
            return LoadIdentity(prefix=given.get("prefix") or "+", excepted=excepted)
        case _:
            return None


def _number_untrusted(accept: Element | None, name: str) -> float | None:
    child = accept.child(name) if accept is not None else None
    if child is None:
        return None
    if not _NUMBER.fullmatch(child.text.strip()):
        raise ParseError(f"{name} is a number")
    return float(child.text.strip())


def _periods(element: Element) -> list[Period]:
    """Return the times of a validity, which stand in pairs (RFC 4745 §7.3)."""
    times = {
        name: [seconds_of_untrusted(child.text) for child in element.children if child.name == name]
        for name in ("from", "until")
    }
    begins, ends = times.values()
    if not begins or len(begins) != len(ends):
        raise ParseError("a validity has a from for each until")
    return list(zip(begins, ends, strict=True))


def _written(rule: LoadRule) -> str:
    calls = "".join(map(_written_calls, rule.calls))
    conditions = f"<lc:call-identity>{calls}</lc:call-identity>" if calls else ""
    conditions += "".join(f"<lc:method>{escape(method)}</lc:method>" for method in rule.methods)
    if rule.entity:
        conditions += f"<lc:target-sip-entity>{escape(rule.entity)}</lc:target-sip-entity>"
    times = "".join(
        f"<from>{written(begin)}</from><until>{written(end)}</until>"
        for begin, end in rule.validity
    )
    conditions += f"<validity>{times}</validity>" if times else ""
    target = f" alt-target={quoteattr(rule.alternative_target)}" if rule.alternative_target else ""
    limits = "" if rule.rate is None else f"<lc:rate>{rule.rate:.9g}</lc:rate>"
    limits += "" if rule.percent is None else f"<lc:percent>{rule.percent:.9g}</lc:percent>"
    limits += "" if rule.window is None else f"<lc:win>{rule.window:.9g}</lc:win>"
    return (
        f"<rule id={quoteattr(rule.id)}><conditions>{conditions}</conditions><actions>"
        f"<lc:accept alt-action={quoteattr(rule.alternative)}{target}>{limits}</lc:accept>"
        "</actions></rule>\n"
    )


def _written_calls(calls: CallIdentity) -> str:
    fields = {header: getattr(calls, field) for header, field in _HEADERS.items()}
    told = "".join(
        f"<lc:{header}>{''.join(map(_written_identity, identities))}</lc:{header}>"
        for header, identities in fields.items()
        if identities
    )
    return f"<lc:sip>{told}</lc:sip>"


def _written_identity(identity: LoadIdentity) -> str:
    if identity.uri:
        return f"<one id={quoteattr(identity.uri)}/>"
    if identity.prefix:
        excepted = "".join(
            f"<lc:except-tel {_kind_of(one, 'prefix')}={quoteattr(one)}/>"
            for one in identity.excepted
        )
        return f"<lc:many-tel prefix={quoteattr(identity.prefix)}>{excepted}</lc:many-tel>"
    excepted = "".join(
        f"<except {_kind_of(one, 'domain')}={quoteattr(one)}/>" for one in identity.excepted
    )
    domain = f" domain={quoteattr(identity.domain)}" if identity.domain else ""
    return f"<many{domain}>{excepted}</many>"


def _kind_of(excepted: str, usual: str) -> str:
    return "id" if ":" in excepted else usual
