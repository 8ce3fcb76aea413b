/* What the programs share: the marks around the measured part, the check at the end, a source of numbers. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef NATIVE
/* Compiled for the host (build.sh --sums): prints the sums instead of checking them. */
#include <stdio.h>
static void start(void) {}
static void end(void) {}
#define PROGRAM int main(void)
#define CHECK(sum, wanted) return (void)(wanted), printf("0x%08xu\n", (unsigned)(sum)), 0
#else
__attribute__((import_module("bench"), import_name("start"))) void start(void);
__attribute__((import_module("bench"), import_name("end"))) void end(void);
#define PROGRAM __attribute__((export_name("_start"))) void program(void)
/* Ends the program by a trap if it has computed something else. */
#define CHECK(sum, wanted) do { if ((uint32_t)(sum) != (wanted)) __builtin_trap(); } while (0)
#endif

static uint32_t seed = 0x2545f491;

/* The next number of a xorshift sequence, the same in every run. */
static inline uint32_t next_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

/* Mixes a value into a sum. */
static inline uint32_t mix(uint32_t sum, uint32_t value)
{
    return (sum ^ value) * 16777619u;
}

#endif
