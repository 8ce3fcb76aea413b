/* Lays one image over another by its opacity, in 16-bit lanes, and brightens it with saturation. */
#include "vectors.h"

#define LONG (512 * 512)

static uint8_t under[LONG], over[LONG], opacity[LONG];

#ifdef NATIVE
static void blend(int light)
{
    for (int i = 0; i < LONG; i++) {
        uint32_t mixed = (uint32_t)over[i] * opacity[i] + (uint32_t)under[i] * (uint32_t)(255 - opacity[i]) + 128;
        uint32_t value = (uint16_t)(mixed + (mixed >> 8)) >> 8;
        uint32_t bright = value + (uint32_t)light;
        under[i] = (uint8_t)(bright > 255 ? 255 : bright);
    }
}
#else
static inline v128_t blended(v128_t over, v128_t under, v128_t opacity, v128_t rest)
{
    v128_t mixed = wasm_i16x8_add(wasm_i16x8_mul(over, opacity), wasm_i16x8_mul(under, rest));
    mixed = wasm_i16x8_add(mixed, wasm_i16x8_splat(128));
    return wasm_u16x8_shr(wasm_i16x8_add(mixed, wasm_u16x8_shr(mixed, 8)), 8);
}

static void blend(int light)
{
    v128_t all = wasm_i8x16_splat(-1), lights = wasm_i8x16_splat((int8_t)light);
    for (int i = 0; i < LONG; i += 16) {
        v128_t a = wasm_v128_load(opacity + i), o = wasm_v128_load(over + i), u = wasm_v128_load(under + i);
        v128_t r = wasm_i8x16_sub(all, a);
        v128_t low = blended(wasm_u16x8_extend_low_u8x16(o), wasm_u16x8_extend_low_u8x16(u),
                             wasm_u16x8_extend_low_u8x16(a), wasm_u16x8_extend_low_u8x16(r));
        v128_t high = blended(wasm_u16x8_extend_high_u8x16(o), wasm_u16x8_extend_high_u8x16(u),
                              wasm_u16x8_extend_high_u8x16(a), wasm_u16x8_extend_high_u8x16(r));
        wasm_v128_store(under + i, wasm_u8x16_add_sat(wasm_u8x16_narrow_i16x8(low, high), lights));
    }
}
#endif

PROGRAM
{
    for (int i = 0; i < LONG; i++) {
        under[i] = (uint8_t)next_number();
        over[i] = (uint8_t)next_number();
        opacity[i] = (uint8_t)next_number();
    }
    start();
    uint32_t sum = 0;
    for (int round = 0; round < 100; round++) {
        blend(round % 7);
        sum = mix(sum, under[round * 2503] | (uint32_t)under[LONG - 1 - round] << 8);
    }
    end();
    CHECK(sum, 0xcf556c3eu);
}
