"""Keccak-256 as Ethereum has it: FIPS 202's sponge, with the padding from before the standard."""

from typing import Final

_ROUNDS: Final = 24
_RATE: Final = 136  # bytes; capacity 512 bits
_MASK: Final = (1 << 64) - 1


def _constants() -> tuple[int, ...]:
    """Make the round constants (FIPS 202 §3.2.5) with the LFSR x⁸ + x⁶ + x⁵ + x⁴ + 1."""
    constants = []
    register = 1
    for _ in range(_ROUNDS):
        constant = 0
        for bit in range(7):
            if register & 1:
                constant |= 1 << ((1 << bit) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


_CONSTANTS: Final = _constants()


def keccak256(message: bytes) -> bytes:
    """Hash a message."""
    padded = bytearray(message) + b"\x01"
    padded += bytes(-len(padded) % _RATE)
    padded[-1] |= 0x80
    state = [0] * 25
    for at in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            state[lane] ^= int.from_bytes(padded[at + 8 * lane : at + 8 * lane + 8], "little")
        for constant in _CONSTANTS:
            state = _round(state, constant)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


def _rotated(lane: int, by: int) -> int:
    by %= 64
    return ((lane << by) | (lane >> (64 - by))) & _MASK


def _round(state: list[int], constant: int) -> list[int]:
    """θ, ρ and π, χ, ι (FIPS 202 §3.2)."""
    parity = [state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20] for x in range(5)]
    state = [lane ^ parity[(n + 4) % 5] ^ _rotated(parity[(n + 1) % 5], 1) for n, lane in enumerate(state)]
    x, y, lane = 1, 0, state[1]
    moved = list(state)
    for step in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        moved[x + 5 * y], lane = _rotated(lane, (step + 1) * (step + 2) // 2), state[x + 5 * y]
    result = [moved[n] ^ (~moved[n - n % 5 + (n + 1) % 5] & moved[n - n % 5 + (n + 2) % 5]) for n in range(25)]
    result[0] ^= constant
    return result
