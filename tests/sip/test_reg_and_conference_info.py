"""Bodies of the packages `reg` and `conference` (RFC 3680 §5, RFC 4575 §5)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox.errors import ParseError
from trivox.sip.conference_info import ConferenceEndpoint, ConferenceInfo, ConferenceUser
from trivox.sip.event_packages import CONTENT_TYPES, value_untrusted
from trivox.sip.reg_info import RegInfo, RegisteredAddress, RegisteredContact

REG_INFO = b"""<?xml version="1.0"?>
<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="7" state="partial">
  <registration aor="sip:joe@example.com" id="a7" state="active">
    <contact id="76" state="active" event="registered" duration-registered="7322"
             expires="3600" q="0.8">
      <uri>sip:joe@pc887.example.com</uri><display-name>Joe &amp; Co</display-name>
    </contact>
    <contact id="77" state="terminated" event="expired" expires="soon">
      <uri>sip:joe@university.edu</uri>
    </contact>
    <unknown-param/>
  </registration>
  <other/>
</reginfo>
"""


def test_a_reginfo_document_is_read() -> None:
    """RFC 3680 §5.3: registrations, their contacts, and what happened to each."""
    read = RegInfo.parse_untrusted(REG_INFO)

    assert (read.version, read.is_full) == (7, False)
    first = RegisteredContact(
        id="76", uri="sip:joe@pc887.example.com", expires=3600, display_name="Joe & Co"
    )
    second = RegisteredContact(
        id="77", uri="sip:joe@university.edu", state="terminated", event="expired"
    )
    assert read.registrations == (
        RegisteredAddress(
            aor="sip:joe@example.com", id="a7", state="active", contacts=(first, second)
        ),
    )


def test_a_reginfo_document_is_written_as_it_is_read() -> None:
    for info in (RegInfo.parse_untrusted(REG_INFO), RegInfo(version=1)):
        assert RegInfo.parse_untrusted(info.to_body()) == info


CONTACT = '<contact id="1" state="{}" event="{}"><uri>sip:a@b</uri></contact>'
REGISTRATION = '<reginfo version="0"><registration aor="sip:a" id="1" state="{}">{}</registration>'


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<reginfo/>",
        '<reginfo version="x"/>',
        '<reginfo version="0"><registration/></reginfo>',
        REGISTRATION.format("odd", "") + "</reginfo>",
        REGISTRATION.format("active", "<contact/>") + "</reginfo>",
        REGISTRATION.format("active", CONTACT.format("init", "expired")) + "</reginfo>",
        REGISTRATION.format("active", CONTACT.format("active", "odd")) + "</reginfo>",
        REGISTRATION.format("active", CONTACT.format("active", "created") * 257) + "</reginfo>",
    ],
)
def test_a_bad_reginfo_document_is_a_parse_error(body) -> None:
    with pytest.raises(ParseError):
        RegInfo.parse_untrusted(body.encode())


CONFERENCE_INFO = b"""<?xml version="1.0"?>
<conference-info xmlns="urn:ietf:params:xml:ns:conference-info"
    entity="sips:conf233@example.com" state="full" version="1">
  <conference-description><subject>Agenda &lt;x&gt;</subject></conference-description>
  <conference-state><user-count>33</user-count></conference-state>
  <users>
    <user entity="sip:bob@example.com" state="full">
      <display-text>Bob Hoskins</display-text>
      <endpoint entity="sip:bob@pc33.example.com">
        <display-text>Laptop</display-text><status>connected</status>
        <media id="1"><type>audio</type><status>sendrecv</status></media>
      </endpoint>
    </user>
    <user entity="sip:alice@example.com"><endpoint/></user>
    <extension/>
  </users>
</conference-info>
"""
BOB = ConferenceUser(
    entity="sip:bob@example.com",
    display_name="Bob Hoskins",
    endpoints=(
        ConferenceEndpoint(
            entity="sip:bob@pc33.example.com",
            status="connected",
            display_name="Laptop",
            media=(("audio", "sendrecv"),),
        ),
    ),
)
ALICE = ConferenceUser(entity="sip:alice@example.com", endpoints=(ConferenceEndpoint(entity=""),))
ROOM = ConferenceInfo(
    entity="sips:conf233@example.com",
    version=1,
    subject="Agenda <x>",
    user_count=33,
    users=(BOB, ALICE),
)


def test_a_conference_info_document_is_read() -> None:
    """RFC 4575 §5: the conference, its users, their devices and streams."""
    assert ConferenceInfo.parse_untrusted(CONFERENCE_INFO) == ROOM


def test_a_conference_info_document_is_written_as_it_is_read() -> None:
    for info in (ROOM, ConferenceInfo(entity="sip:c@x", change="deleted")):
        assert ConferenceInfo.parse_untrusted(info.to_body()) == info


def test_a_partial_document_changes_what_it_names() -> None:
    """RFC 4575 §4.6: users that it does not name stay as they are."""
    gone = ConferenceUser(entity=ALICE.entity, change="deleted")
    carol = ConferenceUser(entity="sip:carol@example.com")
    news = ConferenceInfo(
        entity=ROOM.entity, version=2, change="partial", users=(gone, carol), subject="More"
    )

    after = ROOM.updated(news)

    assert after == replace(ROOM, version=2, subject="More", users=(BOB, carol))
    assert after.updated(replace(news, version=3, user_count=1, users=())).user_count == 1


def test_a_missing_document_asks_for_the_whole() -> None:
    """RFC 4575 §4.6: a gap in the versions; what is older changes nothing."""
    late = replace(ROOM, version=5, change="partial")
    whole = replace(ROOM, version=9)

    assert ROOM.updated(late) is None
    assert ROOM.updated(replace(late, version=1)) is ROOM
    assert ROOM.updated(whole) is whole


USER = '<conference-info version="0" entity="sip:c"><users>{}</users></conference-info>'


@pytest.mark.parametrize(
    "body",
    [
        "<conference-info/>",
        '<conference-info entity="sip:c"/>',
        '<conference-info entity="sip:c" version="0" state="odd"/>',
        USER.format('<user state="odd"/>'),
        USER.format("<user/>" * 513),
    ],
)
def test_a_bad_conference_info_document_is_a_parse_error(body) -> None:
    with pytest.raises(ParseError):
        ConferenceInfo.parse_untrusted(body.encode())


@pytest.mark.parametrize("value", [RegInfo.parse_untrusted(REG_INFO), ROOM])
def test_a_package_gives_the_value_of_its_own_type(value) -> None:
    package = "reg" if isinstance(value, RegInfo) else "conference"

    assert value_untrusted(CONTENT_TYPES[package], value.to_body()) == value


@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_a_parse_error(body) -> None:
    for parse in (RegInfo.parse_untrusted, ConferenceInfo.parse_untrusted):
        try:
            parse(body)
        except ParseError:
            continue
