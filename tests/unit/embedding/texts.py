"""Texts that differ in what matters to an embedder: length, script, noise, emptiness."""

from __future__ import annotations

ASCII = [
    "Sent 1.5 ETH to 0x8ba1f109 for the audit.",
    "What did agent 7 trade yesterday?",
    "swap",
    "",
    "The quick brown fox jumps over the lazy dog; nobody paid for the dog's vet bill, which was 250 USDC.",
    "Provide liquidity to the ETH/USDC pool on Uniswap, range 1800-2200, and remember the fees earned. " * 6,
    "lorem ipsum dolor sit amet consectetur " * 80,
    "{'a': [1, 2, {'b': null}]}",
]
OTHER = ["naïve café ☕", "请把 3 个 ETH 换成 USDC", "Привет, мир", "🦊🦊🦊", "0x" + "ab" * 32, "\t \n", "a" * 300]
VARIED = ASCII + OTHER
SHORT = [f"agent {n} swapped {n * 7 % 13} ETH for {n * n} USDC" + " and staked the rest" * (n % 5) for n in range(60)]
