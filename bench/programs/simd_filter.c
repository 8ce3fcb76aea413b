/* Filters sound of 16 bits: sums of products (dot), fixed-point products that are rounded and saturate (q15mulr), and how
   loud it gets. */
#include "vectors.h"

#define LONG 32768
#define TAPS 32

static int16_t sound[LONG + TAPS], filtered[LONG], taps[TAPS];

#ifdef NATIVE
static int16_t saturated(int32_t value)
{
    return (int16_t)(value > 32767 ? 32767 : value < -32768 ? -32768 : value);
}

static void filter(void)
{
    for (int i = 0; i < LONG; i++) {
        int32_t sum = 0;
        for (int j = 0; j < TAPS; j++)
            sum += sound[i + j] * taps[j];
        filtered[i] = saturated(sum >> 12);
    }
}

static uint32_t mixed(int16_t volume)
{
    int16_t loud = 0;
    for (int i = 0; i < LONG; i++) {
        int16_t scaled = saturated((filtered[i] * volume + 0x4000) >> 15);
        sound[i] = saturated(sound[i] + scaled);
        int16_t size = saturated(sound[i] < 0 ? -sound[i] : sound[i]);
        loud = size > loud ? size : loud;
    }
    return (uint32_t)loud;
}
#else
static void filter(void)
{
    for (int i = 0; i < LONG; i += 4) {
        v128_t sums[4];
        for (int lane = 0; lane < 4; lane++) {
            v128_t sum = wasm_i32x4_splat(0);
            for (int j = 0; j < TAPS; j += 8)
                sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(wasm_v128_load(sound + i + lane + j), wasm_v128_load(taps + j)));
            sums[lane] = sum;
        }
        v128_t low = wasm_i32x4_shuffle(sums[0], sums[1], 0, 4, 1, 5), high = wasm_i32x4_shuffle(sums[0], sums[1], 2, 6, 3, 7);
        v128_t first = wasm_i32x4_add(low, high);
        low = wasm_i32x4_shuffle(sums[2], sums[3], 0, 4, 1, 5), high = wasm_i32x4_shuffle(sums[2], sums[3], 2, 6, 3, 7);
        v128_t second = wasm_i32x4_add(low, high);
        v128_t all = wasm_i32x4_add(wasm_i64x2_shuffle(first, second, 0, 2), wasm_i64x2_shuffle(first, second, 1, 3));
        wasm_v128_store64_lane(filtered + i, wasm_i16x8_narrow_i32x4(wasm_i32x4_shr(all, 12), all), 0);
    }
}

static uint32_t mixed(int16_t volume)
{
    v128_t loud = wasm_i16x8_splat(0), volumes = wasm_i16x8_splat(volume);
    for (int i = 0; i < LONG; i += 8) {
        v128_t scaled = wasm_i16x8_q15mulr_sat(wasm_v128_load(filtered + i), volumes);
        v128_t sum = wasm_i16x8_add_sat(wasm_v128_load(sound + i), scaled);
        wasm_v128_store(sound + i, sum);
        loud = wasm_i16x8_max(loud, wasm_i16x8_max(sum, wasm_i16x8_sub_sat(wasm_i16x8_splat(0), sum)));
    }
    int16_t lanes[8], most = 0;
    wasm_v128_store(lanes, loud);
    for (int i = 0; i < 8; i++)
        most = lanes[i] > most ? lanes[i] : most;
    return (uint32_t)most;
}
#endif

PROGRAM
{
    for (int i = 0; i < LONG + TAPS; i++)
        sound[i] = (int16_t)(next_number() % 4096) - 2048;
    for (int i = 0; i < TAPS; i++)
        taps[i] = (int16_t)(next_number() % 512) - 256;
    start();
    uint32_t sum = 0;
    for (int round = 0; round < 60; round++) {
        filter();
        sum = mix(sum, mixed((int16_t)(round % 2 ? 12000 : -16000)));
        sum = mix(sum, (uint16_t)sound[round * 541]);
    }
    end();
    CHECK(sum, 0x8322ef8du);
}
