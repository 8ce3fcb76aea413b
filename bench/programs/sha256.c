/* SHA-256 (FIPS 180-4), its constants computed rather than written down, over a buffer that feeds back. */
#include "support.h"

static uint32_t constants[64], first[8];
static uint8_t buffer[65536];

static uint32_t turn(uint32_t value, int by)
{
    return value >> by | value << (32 - by);
}

/* Whether value to the power (2 or 3) is at most n shifted left by 32 for each factor; value has 37 bits. */
static int below_root(uint64_t value, int power, uint32_t n)
{
    uint32_t product[6] = { 1 }, factor[2] = { (uint32_t)value, (uint32_t)(value >> 32) };
    for (int round = 0; round < power; round++) {
        uint32_t longer[6] = { 0 };
        for (int i = 0; i < 2; i++) {
            uint64_t carry = 0;
            for (int j = 0; i + j < 6; j++) {
                carry += (uint64_t)factor[i] * product[j] + longer[i + j];
                longer[i + j] = (uint32_t)carry;
                carry >>= 32;
            }
        }
        for (int i = 0; i < 6; i++)
            product[i] = longer[i];
    }
    return product[power] < n;
}

/* The first 32 bits of the fraction of a root of n that is no whole number: square (power 2) or cube (power 3). */
static uint32_t root_fraction(uint32_t n, int power)
{
    uint64_t low = 0, high = (uint64_t)20 << 32;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (below_root(middle, power, n)) low = middle; else high = middle;
    }
    return (uint32_t)low;
}

static void prepare(void)
{
    int found = 0;
    for (uint32_t n = 2; found < 64; n++) {
        int prime = 1;
        for (uint32_t d = 2; d * d <= n; d++)
            prime &= n % d != 0;
        if (!prime)
            continue;
        if (found < 8)
            first[found] = root_fraction(n, 2);
        constants[found++] = root_fraction(n, 3);
    }
}

static void block(uint32_t *state, const uint8_t *bytes)
{
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)bytes[i * 4] << 24 | (uint32_t)bytes[i * 4 + 1] << 16 | (uint32_t)bytes[i * 4 + 2] << 8
            | bytes[i * 4 + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (turn(x, 7) ^ turn(x, 18) ^ x >> 3) + (turn(y, 17) ^ turn(y, 19) ^ y >> 10);
    }
    for (int i = 0; i < 8; i++)
        s[i] = state[i];
    for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t one = s[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + constants[i] + w[i];
        uint32_t two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        for (int j = 7; j > 0; j--)
            s[j] = s[j - 1];
        s[4] += one;
        s[0] = one + two;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

/* Of whole blocks only, and without the length: nothing here needs to agree with another program. */
static uint32_t digest(const uint8_t *bytes, uint32_t size)
{
    uint32_t state[8];
    for (int i = 0; i < 8; i++)
        state[i] = first[i];
    for (uint32_t at = 0; at + 64 <= size; at += 64)
        block(state, bytes + at);
    return state[0] ^ state[7];
}

PROGRAM
{
    prepare();
    /* "abc", padded: the standard's own example. */
    buffer[0] = 'a', buffer[1] = 'b', buffer[2] = 'c', buffer[3] = 0x80, buffer[63] = 24;
    if (digest(buffer, 64) != (0xba7816bfu ^ 0xf20015adu))
        __builtin_trap();
    start();
    uint32_t sum = 0;
    for (int round = 0; round < 250; round++) {
        sum = mix(sum, digest(buffer, sizeof buffer));
        for (uint32_t i = 0; i < 64; i++)
            buffer[(sum >> 8 & 0xff) * 256 + i] ^= (uint8_t)(sum >> (i & 24));
    }
    end();
    CHECK(sum, 0x05ee62b7u);
}
