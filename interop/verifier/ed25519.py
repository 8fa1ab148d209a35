"""Ed25519 with the one verdict of spec/log.md, "The profile". RFC 8032 section 5.1, without a cofactor. Keys that sign here
are made for a test and thrown away: nothing takes the same time whatever the secret is."""

from hashlib import sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def add(p, q):
    """RFC 8032 section 5.1.4, extended coordinates."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(*terms):
    """The sum of k times point, for (k, point) in terms."""
    result = IDENTITY
    for bit in range(max(k.bit_length() for k, _ in terms) - 1, -1, -1):
        result = add(result, result)
        for k, point in terms:
            if k >> bit & 1:
                result = add(result, point)
    return result


def decode(raw):
    """RFC 8032 section 5.1.3; None for what is not the canonical encoding of a point."""
    if len(raw) != 32:
        return None
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * SQRT_M1 % P
    if v * x * x % P != u or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def encode(p):
    inverse = pow(p[2], P - 2, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def public_key(raw):
    """The point of an acceptable key: canonical and not of small order (spec/formats.md, "Keys"); None for another."""
    point = decode(raw)
    return None if point is None or encode(multiply((8, point))) == encode(IDENTITY) else point


def public_key_of_seed(seed):
    """RFC 8032 section 5.1.5."""
    a = int.from_bytes(sha512(seed).digest()[:32], "little")
    return encode(multiply((a & (2**254 - 8) | 2**254, BASE)))


def sign(seed, message):
    """RFC 8032 section 5.1.6."""
    h = sha512(seed).digest()
    a, key = int.from_bytes(h[:32], "little") & (2**254 - 8) | 2**254, public_key_of_seed(seed)
    r = int.from_bytes(sha512(h[32:] + message).digest(), "little") % L
    encoded = encode(multiply((r, BASE)))
    k = int.from_bytes(sha512(encoded + key + message).digest(), "little") % L
    return encoded + ((r + k * a) % L).to_bytes(32, "little")


def verify(raw_key, message, signature):
    """R is compared, byte by byte, with the encoding of [S]B - [k]A."""
    key = public_key(raw_key)
    if key is None or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    k = int.from_bytes(sha512(signature[:32] + raw_key + message).digest(), "little") % L
    minus = P - key[0], key[1], 1, P - key[3]  # not L - k: a key may have a small-order part
    return encode(multiply((s, BASE), (k, minus))) == signature[:32]
