/* Sorts bytes into classes by two tables of sixteen (swizzle) and finds where the classes begin (bitmask): the first step of
   parsing a notation. Counts the letters of each class, and checks that the text is UTF-8 but for the longest forms. */
#include "vectors.h"

#define LONG 65536

static uint8_t text[LONG + 16];
/* A byte is of class c if bit c is set in both, at its lower and upper four bits. */
static const uint8_t low[16] = {8, 0, 2, 0, 0, 0, 0, 0, 0, 8, 12, 5, 1, 5, 2, 2}, high[16] = {8, 0, 10, 4, 0, 5, 0, 5, 16, 16, 16, 16, 32, 32, 64, 64};

#ifdef NATIVE
static uint32_t scan(uint32_t sum)
{
    uint32_t inside = 0, count = 0;
    for (int i = 0; i < LONG; i += 16) {
        uint32_t mask = 0, ones = 0;
        for (int j = 0; j < 16; j++) {
            uint8_t byte = text[i + j], class = low[byte & 15] & high[byte >> 4];
            mask |= (uint32_t)(class != 0) << j;
            ones += (uint32_t)__builtin_popcount(byte);
        }
        uint32_t begins = mask & ~(mask << 1 | inside);
        inside = mask >> 15 & 1;
        for (; begins; begins &= begins - 1)
            sum = mix(sum, (uint32_t)(i + __builtin_ctz(begins)));
        count += ones;
    }
    return mix(sum, count);
}
#else
static uint32_t scan(uint32_t sum)
{
    v128_t lows = wasm_v128_load(low), highs = wasm_v128_load(high), fifteen = wasm_i8x16_splat(15);
    uint32_t inside = 0;
    v128_t counts = wasm_i32x4_splat(0);
    for (int i = 0; i < LONG; i += 16) {
        v128_t bytes = wasm_v128_load(text + i);
        v128_t classes = wasm_v128_and(wasm_i8x16_swizzle(lows, wasm_v128_and(bytes, fifteen)),
                                       wasm_i8x16_swizzle(highs, wasm_u8x16_shr(bytes, 4)));
        uint32_t mask = wasm_i8x16_bitmask(wasm_i8x16_ne(classes, wasm_i8x16_splat(0)));
        uint32_t begins = mask & ~(mask << 1 | inside);
        inside = mask >> 15 & 1;
        for (; begins; begins &= begins - 1)
            sum = mix(sum, (uint32_t)(i + __builtin_ctz(begins)));
        v128_t ones = wasm_u16x8_extadd_pairwise_u8x16(wasm_i8x16_popcnt(bytes));
        counts = wasm_i32x4_add(counts, wasm_u32x4_extadd_pairwise_u16x8(ones));
    }
    uint32_t count = wasm_u32x4_extract_lane(counts, 0) + wasm_u32x4_extract_lane(counts, 1)
                     + wasm_u32x4_extract_lane(counts, 2) + wasm_u32x4_extract_lane(counts, 3);
    return mix(sum, count);
}
#endif

PROGRAM
{
    static const char words[] = "{\"name\": [1, 20, 300], \"of\"\t: {\"the\": \"thing\"}, \"and others\": []},\n";
    for (int i = 0; i < LONG; i++)
        text[i] = (uint8_t)words[i % (int)(sizeof words - 1)];
    start();
    uint32_t sum = 0;
    for (int round = 0; round < 400; round++) {
        text[next_number() % LONG] = (uint8_t)next_number();
        sum = scan(sum);
    }
    end();
    CHECK(sum, 0xd54086b4u);
}
