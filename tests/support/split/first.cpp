// Both units of this guest have a function `both`, of which the linker keeps the first one's. `left_out` it leaves out.
inline int both(int a, int b) {
    return a / b;
}

int other(int a, int b);

int left_out(int a) {
    return both(a, 3);
}

extern "C" __attribute__((export_name("sum"))) int sum(int a, int b) {
    return both(a, b) + other(a, b);
}
