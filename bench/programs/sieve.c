/* Sieves primes, then counts the twins among them. */
#include "support.h"

#define LIMIT 4000000

static uint8_t composite[LIMIT];

PROGRAM
{
    start();
    uint32_t sum = 0;
    for (int round = 0; round < 6; round++) {
        for (uint32_t i = 0; i < LIMIT; i++)
            composite[i] = i < 2;
        for (uint32_t i = 2; i * i < LIMIT; i++)
            if (!composite[i])
                for (uint32_t j = i * i; j < LIMIT; j += i)
                    composite[j] = 1;
        uint32_t primes = 0, twins = 0;
        for (uint32_t i = 2; i < LIMIT - 2; i++) {
            primes += !composite[i];
            twins += !composite[i] && !composite[i + 2];
        }
        sum = mix(mix(sum, primes), twins);
    }
    end();
    CHECK(sum, 0x2e01e098u);
}
