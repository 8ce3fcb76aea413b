/* Large whole numbers in limbs of 32 bits: a power of three by multiplication, its decimal digits by division. */
#include "support.h"

#define LIMBS 2048

static uint32_t a[LIMBS], b[LIMBS];

static uint32_t multiply(uint32_t *out, const uint32_t *x, uint32_t size, const uint32_t *y, uint32_t other)
{
    for (uint32_t i = 0; i < size + other; i++)
        out[i] = 0;
    for (uint32_t i = 0; i < size; i++) {
        uint64_t carry = 0;
        for (uint32_t j = 0; j < other; j++) {
            carry += (uint64_t)x[i] * y[j] + out[i + j];
            out[i + j] = (uint32_t)carry;
            carry >>= 32;
        }
        out[i + other] = (uint32_t)carry;
    }
    size += other;
    while (size > 1 && out[size - 1] == 0)
        size--;
    return size;
}

static uint32_t divide(uint32_t *x, uint32_t size, uint32_t by)
{
    uint64_t rest = 0;
    for (uint32_t i = size; i-- > 0;) {
        rest = rest << 32 | x[i];
        x[i] = (uint32_t)(rest / by);
        rest %= by;
    }
    return (uint32_t)rest;
}

PROGRAM
{
    start();
    uint32_t sum = 0;
    for (int round = 0; round < 12; round++) {
        uint32_t *x = a, *y = b, size = 1;
        x[0] = 3 + (uint32_t)round * 2;
        /* Squared 14 times over: to the power of 16384. */
        for (int i = 0; i < 14; i++) {
            size = multiply(y, x, size, x, size);
            uint32_t *saved = x;
            x = y;
            y = saved;
        }
        uint32_t digits = 0;
        while (size) {
            uint32_t nine = divide(x, size, 1000000000);
            sum = mix(sum, nine);
            for (; nine; nine /= 10)
                digits += nine % 10;
            while (size && x[size - 1] == 0)
                size--;
        }
        sum = mix(sum, digits);
    }
    end();
    CHECK(sum, 0x21d8a6d8u);
}
