/* What both units of this guest inline. */
#ifdef __cplusplus
extern "C" {
#endif

int discount(int price, int percent);
int settle(const int *prices, int count, int percent);

#ifdef __cplusplus
}
#endif

static inline __attribute__((always_inline)) int quotient(int a, int b) {
    return a / b;
}

static inline __attribute__((always_inline)) int share(int amount, int parts) {
    int whole = quotient(amount, parts);
    if (whole > 1000) {
        return 1000 + quotient(whole, 7);
    }
    return whole + amount % parts;
}
