/* Mixes blocks of 1 KiB as Argon2 does (RFC 9106, section 3.6): 64-bit additions of products of 32 bits, rotations. */
#include "vectors.h"

#define BLOCKS 64

static uint64_t memory[BLOCKS][128];

#ifdef NATIVE
static uint64_t added(uint64_t x, uint64_t y)
{
    return x + y + 2 * (uint64_t)(uint32_t)x * (uint32_t)y;
}

static uint64_t rotated(uint64_t value, int by)
{
    return value >> by | value << (64 - by);
}

#define G(a, b, c, d) \
    (v[a] = added(v[a], v[b]), v[d] = rotated(v[d] ^ v[a], 32), v[c] = added(v[c], v[d]), v[b] = rotated(v[b] ^ v[c], 24), \
     v[a] = added(v[a], v[b]), v[d] = rotated(v[d] ^ v[a], 16), v[c] = added(v[c], v[d]), v[b] = rotated(v[b] ^ v[c], 63))

static void permute(uint64_t *at, int step)
{
    uint64_t v[16];
    for (int i = 0; i < 16; i++)
        v[i] = at[i / 2 * step + i % 2];
    G(0, 4, 8, 12);
    G(1, 5, 9, 13);
    G(2, 6, 10, 14);
    G(3, 7, 11, 15);
    G(0, 5, 10, 15);
    G(1, 6, 11, 12);
    G(2, 7, 8, 13);
    G(3, 4, 9, 14);
    for (int i = 0; i < 16; i++)
        at[i / 2 * step + i % 2] = v[i];
}

static void join(uint64_t *to, const uint64_t *x, const uint64_t *y)
{
    for (int i = 0; i < 128; i++)
        to[i] = x[i] ^ y[i];
}
#else
static inline v128_t added(v128_t x, v128_t y)
{
    v128_t lows = wasm_u64x2_extmul_low_u32x4(wasm_i32x4_shuffle(x, x, 0, 2, 0, 2), wasm_i32x4_shuffle(y, y, 0, 2, 0, 2));
    return wasm_i64x2_add(wasm_i64x2_add(x, y), wasm_i64x2_add(lows, lows));
}

#define ROTATED(value, by) wasm_v128_or(wasm_u64x2_shr(value, by), wasm_i64x2_shl(value, 64 - (by)))

static inline void g(v128_t *a, v128_t *b, v128_t *c, v128_t *d)
{
    v128_t t;
    *a = added(*a, *b), t = wasm_v128_xor(*d, *a), *d = wasm_i32x4_shuffle(t, t, 1, 0, 3, 2);
    *c = added(*c, *d), t = wasm_v128_xor(*b, *c), *b = wasm_i8x16_shuffle(t, t, 3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10);
    *a = added(*a, *b), t = wasm_v128_xor(*d, *a), *d = wasm_i8x16_shuffle(t, t, 2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9);
    *c = added(*c, *d), t = wasm_v128_xor(*b, *c), *b = ROTATED(t, 63);
}

/* The upper lane of the first and the lower of the second. */
#define ACROSS(x, y) wasm_i64x2_shuffle(x, y, 1, 2)

static void permute(uint64_t *at, int step)
{
    v128_t v[8], t;
    for (int i = 0; i < 8; i++)
        v[i] = wasm_v128_load(at + i * step);
    g(&v[0], &v[2], &v[4], &v[6]);
    g(&v[1], &v[3], &v[5], &v[7]);
    t = ACROSS(v[2], v[3]), v[3] = ACROSS(v[3], v[2]), v[2] = t;
    t = v[4], v[4] = v[5], v[5] = t;
    t = ACROSS(v[7], v[6]), v[7] = ACROSS(v[6], v[7]), v[6] = t;
    g(&v[0], &v[2], &v[4], &v[6]);
    g(&v[1], &v[3], &v[5], &v[7]);
    t = ACROSS(v[3], v[2]), v[3] = ACROSS(v[2], v[3]), v[2] = t;
    t = v[4], v[4] = v[5], v[5] = t;
    t = ACROSS(v[6], v[7]), v[7] = ACROSS(v[7], v[6]), v[6] = t;
    for (int i = 0; i < 8; i++)
        wasm_v128_store(at + i * step, v[i]);
}

static void join(uint64_t *to, const uint64_t *x, const uint64_t *y)
{
    for (int i = 0; i < 128; i += 2)
        wasm_v128_store(to + i, wasm_v128_xor(wasm_v128_load(x + i), wasm_v128_load(y + i)));
}
#endif

static void fill(uint64_t *to, const uint64_t *x, const uint64_t *y)
{
    uint64_t first[128], block[128];
    join(first, x, y);
    join(block, x, y);
    for (int row = 0; row < 8; row++)
        permute(block + 16 * row, 2);
    for (int column = 0; column < 8; column++)
        permute(block + 2 * column, 16);
    join(to, first, block);
}

PROGRAM
{
    for (int block = 0; block < 2; block++)
        for (int i = 0; i < 128; i++)
            memory[block][i] = (uint64_t)next_number() << 32 | next_number();
    start();
    uint32_t sum = 0;
    for (int i = 2; i < 400 * BLOCKS; i++) {
        const uint64_t *before = memory[(i - 1) % BLOCKS];
        fill(memory[i % BLOCKS], before, memory[(i - 2 - (before[0] % (i < BLOCKS ? (uint64_t)i - 1 : BLOCKS - 2))) % BLOCKS]);
        sum = mix(sum, (uint32_t)memory[i % BLOCKS][i % 128]);
    }
    end();
    CHECK(sum, 0x315106afu);
}
