/* A program to step through, compiled without optimisation. `plain.c` beside it has functions without debug information. */
int plain(int x);
int calls_back(int (*call)(int), int x);

static int counter;

static int add(int a, int b) {
    int sum = a + b;
    return sum;
}

static int twice(int x) { return add(x, x); }

static int deep(int n) {
    if (n == 0)
        return 1;
    int below = deep(n - 1);
    return below + 1;
}

__attribute__((always_inline)) static inline int area(int width, int height) {
    int result = width * height;
    result = add(result, 1);
    return result;
}

int run(int n) {
    int total = 0;
    for (int i = 0; i < n; i++) {
        total = add(total, i);
    }
    total = add(twice(1), twice(2));
    total += plain(total);
    total += calls_back(twice, 3);
    total += deep(3);
    while (total > 20)
        total -= 7;
    for (int i = 0; i < 3; i++) total = total * 3 % 1000;
    total += area(total, 2);
    if (total & 1)
        counter++;
    else
        counter--;
    switch (n) {
    case 3:
        total += deep(
            n);
        break;
    default:
        total = 0;
    }
    return total + counter;
}

/* How deep calls are is up to the caller. */
int dive(int n) {
    int result = deep(n);
    return result;
}

/* Computes for long, a call in each turn. */
int work(int n) {
    int total = 0;
    for (int i = 0; i < n; i++)
        total = add(total, i) ^ i;
    return total;
}

int call_work(int n) {
    int result = work(n);
    return result;
}

/* Computes until a debugger says that it is enough. */
int spin(int n) {
    volatile int enough = 0;
    while (!enough)
        n++;
    return n;
}
