"""Which addresses nodes may reach: whatever form an address has, it is the network that counts."""

import asyncio
import socket

import aiohttp
import pytest

from penstock.sandbox_host.egress import EgressDeniedError, EgressPolicy
from penstock.sandbox_host.egress_http import GuardedConnector, GuardedResolver
from penstock.subjects.errors import PenstockError

DENIED = """
127.0.0.1 127.8.8.8 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254
169.254.170.2 100.64.0.1 100.100.100.200 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1
203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 :: ::1 fe80::1 fe80::1%eth0
fc00::1 fd00:ec2::254 ff02::1 2001:db8::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1
::ffff:169.254.169.254 ::127.0.0.1 ::10.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
64:ff9b:1::a00:1 2002:7f00:1:: 2002:a00:1:: 2002:a9fe:a9fe:: localhost example.com 0x7f.1
2130706433 127.1
"""
ALLOWED = """
1.1.1.1 8.8.8.8 93.184.216.34 2606:4700:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808
"""


@pytest.mark.parametrize("address", DENIED.split())
def test_addresses_that_are_not_public_are_denied(address: str) -> None:
    assert not EgressPolicy().allows(address)


@pytest.mark.parametrize("address", ALLOWED.split())
def test_public_addresses_are_allowed(address: str) -> None:
    assert EgressPolicy().allows(address)


def test_an_allowed_network_is_open_in_every_form_and_nothing_else_is() -> None:
    policy = EgressPolicy.from_text("10.1.0.0/16, ::1/128")

    open_to = [policy.allows(each) for each in ("10.1.2.3", "::ffff:10.1.2.3", "::1")]

    assert open_to == [True, True, True]
    assert not policy.allows("10.2.0.1")
    assert not policy.allows("127.0.0.1")


def test_a_bad_allow_list_names_what_is_wrong() -> None:
    with pytest.raises(PenstockError, match=r"PENSTOCK_EGRESS_ALLOW.*nonsense"):
        EgressPolicy.from_text("10.0.0.0/8,nonsense")


def test_names_are_judged_by_what_they_resolve_to() -> None:
    async def resolve() -> None:
        await GuardedResolver(EgressPolicy()).resolve("localhost", 80, socket.AF_INET)

    with pytest.raises(EgressDeniedError, match=r"127\.0\.0\.1"):
        asyncio.run(resolve())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "169.254.169.254", "127.1", "0x7f.0.0.1"])
def test_literal_addresses_pass_no_resolver_and_are_judged_all_the_same(host: str) -> None:
    async def connect() -> None:
        connector = GuardedConnector(EgressPolicy())
        try:
            await connector._resolve_host(host, 80)
        finally:
            await connector.close()

    with pytest.raises((EgressDeniedError, aiohttp.InvalidURL)):
        asyncio.run(connect())
