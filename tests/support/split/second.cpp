// See first.cpp.
int left_out_too(int a) {
    return a + 1;
}

inline int both(int a, int b) {
    return a / b;
}

int other(int a, int b) {
    return both(b, a) * 2;
}
