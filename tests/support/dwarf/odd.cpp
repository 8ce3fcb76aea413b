// What the other sources have not: numbers of two parts and of 128 bits, references that are written through, flags.
struct Bits { unsigned a : 3; int b : 5; unsigned c : 8; };
enum Flags { READ = 1, WRITE = 2, RUN = 4 };
__attribute__((noinline)) void look_at(void *at) { __asm__ volatile("" : : "r"(at) : "memory"); }
static void fill(Bits *bits, int n) {
    for (int i = 1; i <= n; i++) {
        bits->a = i;
        bits->b = i / 4;
        bits->c = i;
    }
}
extern "C" __attribute__((export_name("run"))) int run(int n) {
    int value = n;
    int &other = value;
    _Complex double both = 0;
    __real__ both = 1.5;
    __imag__ both = -2;
    _Complex float narrow = 0;
    __real__ narrow = n;
    __int128 wide = -1;
    unsigned __int128 large = 1;
    large <<= 127;
    long double precise = 1.25;
    Flags flags = (Flags)(READ | RUN);
    Flags none = (Flags)8;
    char letter = 'x';
    Bits bits = {0, 0, 0};
    look_at(&bits);
    fill(&bits, n);
    look_at(&both);
    look_at(&narrow);
    look_at(&wide);
    look_at(&large);
    look_at(&precise);
    look_at(&flags);
    look_at(&none);
    look_at(&letter);
    other += 1;
    return value;
}
