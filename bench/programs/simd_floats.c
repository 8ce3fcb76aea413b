/* Multiplies matrices of floats and adds up the products of long rows, four lanes at a time. */
#include "vectors.h"

#define N 128
#define LONG 4096

static float a[N][N], b[N][N], c[N][N], x[LONG], y[LONG];

static void multiply(void)
{
#ifdef NATIVE
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            float sum = 0;
            for (int k = 0; k < N; k++)
                sum += a[i][k] * b[k][j];
            c[i][j] = sum;
        }
#else
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j += 8) {
            v128_t low = wasm_f32x4_splat(0), high = low;
            for (int k = 0; k < N; k++) {
                v128_t factor = wasm_v128_load32_splat(&a[i][k]);
                low = wasm_f32x4_add(low, wasm_f32x4_mul(factor, wasm_v128_load(&b[k][j])));
                high = wasm_f32x4_add(high, wasm_f32x4_mul(factor, wasm_v128_load(&b[k][j + 4])));
            }
            wasm_v128_store(&c[i][j], low);
            wasm_v128_store(&c[i][j + 4], high);
        }
#endif
}

/* The sum of the products, in four sums that are added at the end. */
static float dot(void)
{
    float sums[4] = {0, 0, 0, 0};
#ifdef NATIVE
    for (int i = 0; i < LONG; i++)
        sums[i % 4] += x[i] * y[i];
#else
    v128_t sum = wasm_f32x4_splat(0);
    for (int i = 0; i < LONG; i += 4)
        sum = wasm_f32x4_add(sum, wasm_f32x4_mul(wasm_v128_load(x + i), wasm_v128_load(y + i)));
    wasm_v128_store(sums, sum);
#endif
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

PROGRAM
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (float)(next_number() % 1000) / 512 - 1;
            b[i][j] = (float)(next_number() % 1000) / 512 - 1;
        }
    for (int i = 0; i < LONG; i++) {
        x[i] = (float)(next_number() % 1000) / 256 - 2;
        y[i] = (float)(next_number() % 1000) / 256 - 2;
    }
    start();
    uint32_t sum = 0;
    for (int round = 0; round < 12; round++) {
        multiply();
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                b[i][j] = (c[i][j] < -1 || c[i][j] > 1) ? b[i][j] * 0.75f + 0.125f : c[i][j];
        sum = mix(sum, bits_of(c[round][N - 1 - round]));
    }
    for (int round = 0; round < 4000; round++) {
        x[round % LONG] = (float)(round % 64) / 64;
        sum = mix(sum, bits_of(dot()));
    }
    end();
    CHECK(sum, 0x74078d15u);
}
