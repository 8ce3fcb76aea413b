/* The first unit of the guest; see build.sh. */
#include "orders.h"

#define EXPORT(name) __attribute__((export_name(#name), noinline))

static int seen[64];

static inline __attribute__((always_inline)) void remember(int value) {
    seen[(unsigned)value % 64] += value;
}

EXPORT(discount) int discount(int price, int percent) {
    int part = share(price * percent, 100);
    remember(part);
    return price - part;
}

EXPORT(divide) int divide(int a, int b) {
    return share(a, b) * 3;
}

EXPORT(total) int total(int count, int percent) {
    int prices[16], sum = 0;
    for (int i = 0; i < count && i < 16; i++) {
        prices[i] = discount(i * 100, percent);
        remember(prices[i]);
        sum += share(prices[i], i + 1);
    }
    return sum + settle(prices, count, percent);
}
