"""Tokens whose symbol and decimals are known without asking a node, and amounts as people write them.

Invariant: an amount is shown in units of a token only where its decimals are known; otherwise the raw integer is shown.
All arithmetic is on integers, so the text of an amount is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NATIVE = "ETH"
NATIVE_PLACEHOLDERS = frozenset({bytes(20), bytes.fromhex("ee" * 20)})
"""Addresses that routers take to mean the native coin."""
SHOWN_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Token:
    """What a token calls itself; ``decimals``: digits behind the point of one unit."""

    symbol: str
    decimals: int


TokenTable = Mapping[tuple[int, bytes], Token]
"""By (chain id, contract address)."""

_MAINNET = """
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2 WETH 18
0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48 USDC 6
0xdAC17F958D2ee523a2206206994597C13D831ec7 USDT 6
0x6B175474E89094C44Da98b954EedeAC495271d0F DAI 18
0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599 WBTC 8
0xae7ab96520DE3A18E5e111B5EaAb095312D7fE84 stETH 18
0x7f39C581F595B53c5cb19bD0b3f8dA6c935E2Ca0 wstETH 18
0x514910771AF9Ca656af840dff83E8264EcF986CA LINK 18
0x1f9840a85d5aF5bf1D1762F925BDADdC4201F984 UNI 18
0x7Fc66500c84A76Ad7e9c93437bFc5Ac33E2DDaE9 AAVE 18
0xD533a949740bb3306d119CC777fa900bA034cd52 CRV 18
0x9f8F72aA9304c8B593d555F12eF6589cC3A579A2 MKR 18
0x95aD61b0a150d79219dCF64E1E6Cc01f0B64C4cE SHIB 18
0x6982508145454Ce325dDbE47a25d4ec3d2311933 PEPE 18
0x5A98FcBEA516Cf06857215779Fd812CA3beF1B32 LDO 18
0xc00e94Cb662C3520282E6f5717214004A7f26888 COMP 18
"""


def parse_tokens(chain_id: int, text: str) -> dict[tuple[int, bytes], Token]:
    """Rows of ``address symbol decimals``."""
    rows = (line.split() for line in text.split("\n") if line.strip())
    return {(chain_id, bytes.fromhex(address[2:])): Token(symbol, int(digits)) for address, symbol, digits in rows}


KNOWN_TOKENS: TokenTable = MappingProxyType(parse_tokens(1, _MAINNET))


def short(address: bytes) -> str:
    """An address as text has it: 0x, eight hex digits, an ellipsis. Long hex would fill the model's window."""
    return f"0x{address[:4].hex()}…"


def decimal_text(amount: int, decimals: int) -> str:
    """``amount`` / 10^decimals, cut (not rounded) to SHOWN_DECIMALS places."""
    whole, part = divmod(abs(amount), 10**decimals)
    digits = f"{part:0{decimals}d}"[:SHOWN_DECIMALS].rstrip("0") if decimals else ""
    return ("-" if amount < 0 else "") + (f"{whole}.{digits}" if digits else str(whole))


def ether(wei: int) -> str:
    """An amount of the native coin; in wei where six decimals would show nothing."""
    return f"{wei} wei" if 0 < wei < 10 ** (18 - SHOWN_DECIMALS) else f"{decimal_text(wei, 18)} {NATIVE}"


@dataclass(frozen=True, slots=True)
class Money:
    """Prints amounts for one chain."""

    chain_id: int
    tokens: TokenTable = field(default_factory=lambda: KNOWN_TOKENS)

    def symbol(self, token: bytes | str) -> str:
        """What to call ``token``: an address, or the name of the native coin."""
        if isinstance(token, str) or token in NATIVE_PLACEHOLDERS:
            return NATIVE
        known = self.tokens.get((self.chain_id, token))
        return known.symbol if known else f"token {short(token)}"

    def text(self, amount: int, token: bytes | str | None) -> str:
        """``amount`` of ``token`` (None: not known which)."""
        if token is None:
            return f"{amount} units"
        if isinstance(token, str) or token in NATIVE_PLACEHOLDERS:
            return ether(amount)
        known = self.tokens.get((self.chain_id, token))
        if known is None:
            return f"{amount} units of token {short(token)}"
        if 0 < amount < 10 ** max(known.decimals - SHOWN_DECIMALS, 0):
            return f"{amount} units of {known.symbol}"
        return f"{decimal_text(amount, known.decimals)} {known.symbol}"
