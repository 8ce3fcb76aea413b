/* Counts how long points stay near zero (doubles, two at a time), and lets particles bounce in a box (floats, four). */
#include "vectors.h"

#define SIDE 160
#define MOST 200
#define PARTICLES 4096

static uint32_t counts[SIDE * SIDE];
static float place[PARTICLES], speed[PARTICLES];

#ifdef NATIVE
static void fractal(double zoom)
{
    for (int i = 0; i < SIDE * SIDE; i++) {
        double re = ((double)(i % SIDE) - SIDE * 0.625) * zoom, im = ((double)(i / SIDE) - SIDE * 0.5) * zoom, x = 0, y = 0;
        uint32_t count = 0;
        while (count < MOST && x * x + y * y <= 4) {
            double next = x * x - y * y + re;
            y = 2 * x * y + im;
            x = next;
            count++;
        }
        counts[i] = count;
    }
}

static void bounce(float by)
{
    for (int i = 0; i < PARTICLES; i++) {
        float at = place[i] + speed[i] * by;
        int out = at < 0 || at > 1;
        at = at < 0 ? 0 : at;
        at = 1 < at ? 1 : at;
        speed[i] = out ? -speed[i] : speed[i];
        place[i] = at;
    }
}
#else
static void fractal(double zoom)
{
    v128_t four = wasm_f64x2_splat(4), zooms = wasm_f64x2_splat(zoom), one = wasm_i64x2_splat(1);
    for (int i = 0; i < SIDE * SIDE; i += 2) {
        v128_t column = wasm_f64x2_convert_low_i32x4(wasm_i32x4_make(i % SIDE, i % SIDE + 1, 0, 0));
        v128_t re = wasm_f64x2_mul(wasm_f64x2_sub(column, wasm_f64x2_splat(SIDE * 0.625)), zooms);
        v128_t im = wasm_f64x2_splat(((double)(i / SIDE) - SIDE * 0.5) * zoom);
        v128_t x = wasm_f64x2_splat(0), y = x, count = wasm_i64x2_splat(0);
        for (int step = 0; step < MOST; step++) {
            v128_t xx = wasm_f64x2_mul(x, x), yy = wasm_f64x2_mul(y, y), xy = wasm_f64x2_mul(wasm_f64x2_add(x, x), y);
            v128_t near = wasm_f64x2_le(wasm_f64x2_add(xx, yy), four);
            if (!wasm_v128_any_true(near))
                break;
            count = wasm_i64x2_add(count, wasm_v128_and(near, one));
            x = wasm_v128_bitselect(wasm_f64x2_add(wasm_f64x2_sub(xx, yy), re), x, near);
            y = wasm_v128_bitselect(wasm_f64x2_add(xy, im), y, near);
        }
        counts[i] = (uint32_t)wasm_i64x2_extract_lane(count, 0);
        counts[i + 1] = (uint32_t)wasm_i64x2_extract_lane(count, 1);
    }
}

static void bounce(float by)
{
    v128_t zero = wasm_f32x4_splat(0), one = wasm_f32x4_splat(1), steps = wasm_f32x4_splat(by);
    for (int i = 0; i < PARTICLES; i += 4) {
        v128_t fast = wasm_v128_load(speed + i);
        v128_t at = wasm_f32x4_add(wasm_v128_load(place + i), wasm_f32x4_mul(fast, steps));
        v128_t out = wasm_v128_or(wasm_f32x4_lt(at, zero), wasm_f32x4_gt(at, one));
        wasm_v128_store(place + i, wasm_f32x4_pmin(wasm_f32x4_pmax(at, zero), one));
        wasm_v128_store(speed + i, wasm_v128_bitselect(wasm_f32x4_neg(fast), fast, out));
    }
}
#endif

PROGRAM
{
    for (int i = 0; i < PARTICLES; i++) {
        place[i] = (float)(next_number() % 1024) / 1024;
        speed[i] = (float)(next_number() % 2048) / 1024 - 1;
    }
    start();
    uint32_t sum = 0;
    for (int round = 0; round < 4; round++) {
        fractal(3.0 / SIDE / (1 + round));
        for (int i = 0; i < SIDE * SIDE; i++)
            sum = mix(sum, counts[i]);
    }
    for (int round = 0; round < 4000; round++) {
        bounce((float)(round % 5) / 16);
        sum = mix(sum, bits_of(place[round]));
    }
    end();
    CHECK(sum, 0x9e230141u);
}
