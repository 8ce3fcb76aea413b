/* Calls and little else: Fibonacci, Ackermann, the towers of Hanoi, mutual recursion. */
#include "support.h"

__attribute__((noinline)) static uint32_t fibonacci(uint32_t n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__attribute__((noinline)) static uint32_t ackermann(uint32_t m, uint32_t n)
{
    if (m == 0)
        return n + 1;
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

static uint32_t height[3];

__attribute__((noinline)) static uint32_t hanoi(uint32_t discs, int from, int to)
{
    if (discs == 0)
        return 0;
    uint32_t moves = hanoi(discs - 1, from, 3 - from - to) + 1;
    height[from]--;
    height[to]++;
    return moves + hanoi(discs - 1, 3 - from - to, to);
}

static uint32_t male(uint32_t n);

__attribute__((noinline)) static uint32_t female(uint32_t n)
{
    return n == 0 ? 1 : n - male(female(n - 1));
}

__attribute__((noinline)) static uint32_t male(uint32_t n)
{
    return n == 0 ? 0 : n - female(male(n - 1));
}

PROGRAM
{
    start();
    uint32_t sum = mix(0, fibonacci(35));
    sum = mix(sum, ackermann(2, 1500));
    height[0] = 20;
    sum = mix(sum, hanoi(20, 0, 2));
    sum = mix(sum, height[2]);
    sum = mix(sum, female(110));
    end();
    CHECK(sum, 0xbae2cebdu);
}
