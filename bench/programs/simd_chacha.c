/* Enciphers by ChaCha20 (RFC 8439), a row of the state in a vector: additions, rotations and shuffles of 32-bit lanes. */
#include "vectors.h"

#define LONG 65536

static uint8_t text[LONG];
static uint32_t key[8] = {0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c, 0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c};
static uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
static const uint32_t begin[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

#ifdef NATIVE
static uint32_t rotated(uint32_t value, int by)
{
    return value << by | value >> (32 - by);
}

#define QUARTER(a, b, c, d) \
    (s[a] += s[b], s[d] = rotated(s[d] ^ s[a], 16), s[c] += s[d], s[b] = rotated(s[b] ^ s[c], 12), \
     s[a] += s[b], s[d] = rotated(s[d] ^ s[a], 8), s[c] += s[d], s[b] = rotated(s[b] ^ s[c], 7))

static void block(uint8_t *at, uint32_t counter)
{
    uint32_t first[16], s[16];
    for (int i = 0; i < 16; i++)
        s[i] = first[i] = i < 4 ? begin[i] : i < 12 ? key[i - 4] : i == 12 ? counter : nonce[i - 13];
    for (int round = 0; round < 10; round++) {
        QUARTER(0, 4, 8, 12);
        QUARTER(1, 5, 9, 13);
        QUARTER(2, 6, 10, 14);
        QUARTER(3, 7, 11, 15);
        QUARTER(0, 5, 10, 15);
        QUARTER(1, 6, 11, 12);
        QUARTER(2, 7, 8, 13);
        QUARTER(3, 4, 9, 14);
    }
    for (int i = 0; i < 64; i++)
        at[i] ^= (uint8_t)((s[i / 4] + first[i / 4]) >> (i % 4 * 8));
}
#else
static inline v128_t rotated(v128_t value, int by)
{
    return wasm_v128_or(wasm_i32x4_shl(value, by), wasm_u32x4_shr(value, 32 - by));
}

static inline void quarters(v128_t *a, v128_t *b, v128_t *c, v128_t *d)
{
    *a = wasm_i32x4_add(*a, *b), *d = rotated(wasm_v128_xor(*d, *a), 16);
    *c = wasm_i32x4_add(*c, *d), *b = rotated(wasm_v128_xor(*b, *c), 12);
    *a = wasm_i32x4_add(*a, *b), *d = rotated(wasm_v128_xor(*d, *a), 8);
    *c = wasm_i32x4_add(*c, *d), *b = rotated(wasm_v128_xor(*b, *c), 7);
}

static void block(uint8_t *at, uint32_t counter)
{
    v128_t a0 = wasm_v128_load(begin), b0 = wasm_v128_load(key), c0 = wasm_v128_load(key + 4);
    v128_t d0 = wasm_u32x4_make(counter, nonce[0], nonce[1], nonce[2]);
    v128_t a = a0, b = b0, c = c0, d = d0;
    for (int round = 0; round < 10; round++) {
        quarters(&a, &b, &c, &d);
        b = wasm_i32x4_shuffle(b, b, 1, 2, 3, 0);
        c = wasm_i32x4_shuffle(c, c, 2, 3, 0, 1);
        d = wasm_i32x4_shuffle(d, d, 3, 0, 1, 2);
        quarters(&a, &b, &c, &d);
        b = wasm_i32x4_shuffle(b, b, 3, 0, 1, 2);
        c = wasm_i32x4_shuffle(c, c, 2, 3, 0, 1);
        d = wasm_i32x4_shuffle(d, d, 1, 2, 3, 0);
    }
    wasm_v128_store(at, wasm_v128_xor(wasm_v128_load(at), wasm_i32x4_add(a, a0)));
    wasm_v128_store(at + 16, wasm_v128_xor(wasm_v128_load(at + 16), wasm_i32x4_add(b, b0)));
    wasm_v128_store(at + 32, wasm_v128_xor(wasm_v128_load(at + 32), wasm_i32x4_add(c, c0)));
    wasm_v128_store(at + 48, wasm_v128_xor(wasm_v128_load(at + 48), wasm_i32x4_add(d, d0)));
}
#endif

PROGRAM
{
    start();
    uint32_t sum = 0;
    for (uint32_t round = 0; round < 128; round++) {
        nonce[2] = round;
        for (uint32_t i = 0; i < LONG / 64; i++)
            block(text + 64 * i, i);
        sum = mix(sum, text[round * 509] | (uint32_t)text[LONG - 1] << 8);
    }
    end();
    CHECK(sum, 0x40a64822u);
}
