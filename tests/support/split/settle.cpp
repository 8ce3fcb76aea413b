// The second unit of the guest, in C++: names in namespaces, methods, and what is inlined of them.
#include "orders.h"

namespace ledger {

struct Entry {
    int amount;
    int rate;

    __attribute__((always_inline)) int due(int parts) const {
        return share(amount * rate, parts);
    }
};

template <typename T> __attribute__((always_inline)) static inline T clamp(T value, T low, T high) {
    return value < low ? low : value > high ? high : value;
}

__attribute__((noinline)) static int book(const Entry &entry, int parts) {
    if (entry.rate == 0) {
        __builtin_trap();
    }
    return clamp(entry.due(parts), -500, 500);
}

} // namespace ledger

extern "C" __attribute__((export_name("settle"), noinline)) int settle(const int *prices, int count, int percent) {
    int sum = 0;
    for (int i = 0; i < count; i++) {
        ledger::Entry entry = {prices[i], percent};
        sum += ledger::book(entry, i + 1);
        sum += quotient(sum, percent);
    }
    return sum;
}
