/* What variables look like in C: every kind of type once. */
typedef unsigned int u32;
typedef struct node { int key; struct node *next; } node;
enum colour { RED, GREEN = 5, BLUE = -2 };
struct flags { unsigned a : 3; signed b : 5; unsigned c : 24; };
union word { u32 whole; unsigned char bytes[4]; float real; };
struct all {
    signed char sc; unsigned char uc; short s; unsigned short us; long long ll; unsigned long long ull;
    float f; double d; _Bool yes; char letter; enum colour colour; struct flags flags; union word word;
    int grid[2][3]; const char *text; node *list; int (*compare)(const void *, int); volatile const int fixed;
    struct { int inner_x; int inner_y; }; void *any;
};
int counter = 7;
static const char greeting[] = "hello";
static node nodes[3] = {{1, &nodes[1]}, {2, &nodes[2]}, {3, 0}};
const int *const pinned = &counter;
static int order(const void *a, int b) { return a ? b : -b; }
__attribute__((noinline)) void look_at(void *at) { __asm__ volatile("" : : "r"(at) : "memory"); }
static inline int square(int value) {
    int twice = value * 2;
    int result = value * value + twice;
    return result;
}
__attribute__((noinline)) int sum(const node *from, int limit) {
    int total = 0;
    for (const node *at = from; at && limit > 0; at = at->next) {
        int key = at->key;
        limit--;
        total += square(key);
    }
    return total;
}
__attribute__((export_name("run"))) int run(int n) {
    struct all all = {-1, 200, -300, 60000, -5000000000ll, 10000000000000000000ull, 1.5f, -2.25, 1, 'x', BLUE,
                      {5, -3, 70000}, {0x40490fdb}, {{1, 2, 3}, {4, 5, 6}}, greeting, nodes, order, 42,
                      {11, 12}, &counter};
    int shadow = n;
    {
        int shadow = n + 1;
        look_at(&shadow);
    }
    look_at(&all);
    counter += n;
    return sum(nodes, n) + shadow + all.s;
}
