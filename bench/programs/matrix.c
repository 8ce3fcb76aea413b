/* Multiplies matrices of doubles and takes the trace of a power. */
#include "support.h"

#define N 128

static double a[N][N], b[N][N], c[N][N];

static void multiply(double (*out)[N], double (*x)[N], double (*y)[N])
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++)
                sum += x[i][k] * y[k][j];
            out[i][j] = sum;
        }
}

PROGRAM
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (double)(int)(next_number() % 17) - 8;
            b[i][j] = i == j;
        }
    start();
    uint32_t sum = 0;
    for (int round = 0; round < 32; round++) {
        multiply(c, b, a);
        /* Back into small whole numbers, so that every machine rounds alike: not at all. */
        double trace = 0;
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++)
                b[i][j] = (double)((int)c[i][j] % 101);
            trace += b[i][i];
        }
        sum = mix(sum, (uint32_t)(int32_t)trace);
    }
    end();
    CHECK(sum, 0x73b0c5f7u);
}
