"""ML-DSA-44, FIPS 204: verification and the public key of a seed. Cited: the algorithms by their number there."""

from hashlib import shake_128, shake_256

Q, N, K, D, TAU, GAMMA1, GAMMA2, OMEGA, ETA = 8380417, 256, 4, 13, 39, 1 << 17, (8380417 - 1) // 88, 80, 2
BETA = TAU * ETA
PUBLIC_KEY, SIGNATURE = 1312, 2420
ZETAS = [pow(1753, int(f"{i:08b}"[::-1], 2), Q) for i in range(256)]


def H(data, length):
    return shake_256(data).digest(length)


def ntt(w):
    """Algorithm 41."""
    w, m, length = list(w), 0, 128
    while length:
        for start in range(0, 256, 2 * length):
            m += 1
            for j in range(start, start + length):
                t = ZETAS[m] * w[j + length] % Q
                w[j + length], w[j] = (w[j] - t) % Q, (w[j] + t) % Q
        length //= 2
    return w


def inverse_ntt(w):
    """Algorithm 42."""
    w, m, length = list(w), 256, 1
    while length < 256:
        for start in range(0, 256, 2 * length):
            m -= 1
            for j in range(start, start + length):
                t = w[j]
                w[j] = (t + w[j + length]) % Q
                w[j + length] = -ZETAS[m] * (t - w[j + length]) % Q
        length *= 2
    return [x * 8347681 % Q for x in w]


def unpack(data, bits):
    """Algorithms 18 and 19 before the subtraction: integers of so many bits."""
    whole = int.from_bytes(data, "little")
    return [whole >> i * bits & (1 << bits) - 1 for i in range(len(data) * 8 // bits)]


def pack(values, bits):
    """Algorithm 16."""
    return sum(v << i * bits for i, v in enumerate(values)).to_bytes(len(values) * bits // 8, "little")


def uniform(seed):
    """Algorithm 30, RejNTTPoly."""
    stream, out = shake_128(seed).digest(1680), []
    for i in range(0, len(stream), 3):
        z = stream[i] | stream[i + 1] << 8 | (stream[i + 2] & 127) << 16
        if z < Q:
            out.append(z)
    return out[:N]


def small(seed):
    """Algorithms 31 and 15, RejBoundedPoly for eta = 2."""
    halves = (z for byte in H(seed, 512) for z in (byte & 15, byte >> 4))
    return [2 - z % 5 for z in halves if z < 15][:N]


def matrix(rho):
    """Algorithm 32, ExpandA."""
    return [[uniform(rho + bytes([s, r])) for s in range(K)] for r in range(K)]


def product(A, v):
    """A times v, both in the NTT domain."""
    return [[sum(row[j][i] * v[j][i] for j in range(K)) % Q for i in range(N)] for row in A]


def public_key_of_seed(seed):
    """Algorithm 6, ML-DSA.KeyGen_internal, as far as the public key."""
    expanded = H(seed + bytes([K, K]), 128)
    rho, rho2 = expanded[:32], expanded[32:96]
    s = [small(rho2 + r.to_bytes(2, "little")) for r in range(2 * K)]
    t = [[(x + y) % Q for x, y in zip(inverse_ntt(p), s2)] for p, s2 in zip(product(matrix(rho), [ntt(p) for p in s[:K]]), s[K:])]
    half = (1 << D - 1) - 1
    return rho + b"".join(pack([(x + half) >> D for x in p], 10) for p in t)


def sample_in_ball(seed):
    """Algorithm 29."""
    stream = H(seed, 8 + 1024)
    signs, position, c = int.from_bytes(stream[:8], "little"), 8, [0] * N
    for i in range(N - TAU, N):
        while stream[position] > i:
            position += 1
        j = stream[position]
        position += 1
        c[i], c[j] = c[j], 1 - 2 * (signs & 1)
        signs >>= 1
    return c


def unpack_hints(data):
    """Algorithm 21, HintBitUnpack; None for what is not a spelling."""
    hints, index = [[0] * N for _ in range(K)], 0
    for i in range(K):
        end = data[OMEGA + i]
        if end < index or end > OMEGA:
            return None
        for j in range(index, end):
            if j > index and data[j - 1] >= data[j]:
                return None
            hints[i][data[j]] = 1
        index = end
    return None if any(data[index:OMEGA]) else hints


def use_hint(hint, r):
    """Algorithms 36 and 40."""
    r0 = r % (2 * GAMMA2)
    r0 -= 2 * GAMMA2 if r0 > GAMMA2 else 0
    r1, r0 = (0, r0 - 1) if r - r0 == Q - 1 else ((r - r0) // (2 * GAMMA2), r0)
    return (r1 + (1 if r0 > 0 else -1) * hint) % 44


def verify(public_key, message, signature):
    """Algorithms 3 and 8, with an empty context."""
    if len(public_key) != PUBLIC_KEY or len(signature) != SIGNATURE:
        return False
    rho, c_tilde = public_key[:32], signature[:32]
    t1 = [unpack(public_key[32 + 320 * i:352 + 320 * i], 10) for i in range(K)]
    z = [[GAMMA1 - x for x in unpack(signature[32 + 576 * i:608 + 576 * i], 18)] for i in range(K)]
    hints = unpack_hints(signature[32 + 576 * K:])
    if hints is None or max(abs(x) for p in z for x in p) >= GAMMA1 - BETA:
        return False
    mu = H(H(public_key, 64) + b"\0\0" + message, 64)
    c = ntt(sample_in_ball(c_tilde))
    w = product(matrix(rho), [ntt(p) for p in z])
    for r in range(K):
        t = ntt([x << D for x in t1[r]])
        w[r] = inverse_ntt([(x - y * s) % Q for x, y, s in zip(w[r], c, t)])
    w1 = b"".join(pack([use_hint(h, x) for h, x in zip(hints[r], w[r])], 6) for r in range(K))
    return H(mu + w1, 32) == c_tilde
