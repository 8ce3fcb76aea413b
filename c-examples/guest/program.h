/* What program.c inlines: in a file of its own, so that the DWARF names two. */
static inline __attribute__((always_inline)) int quotient(int a, int b) {
    return a / b;
}

static inline __attribute__((always_inline)) int ratio(int a, int b) {
    int scaled = a * 100;
    return quotient(scaled, b);
}
