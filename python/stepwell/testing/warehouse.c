/*
 * The demo's guest: a small warehouse, simulated.
 *
 * Robots fetch goods from shelves in a grid. Each order has a price formula which is parsed and evaluated, a path
 * which is searched, and a place in a ledger. There is no C library: everything is in this file, so that what the
 * debugger shows can be compared with the source.
 *
 * Build (clang 15 or newer with wasm-ld; `build.sh` beside this file runs it):
 *
 *   clang --target=wasm32 -g -O1 -nostdlib -ffreestanding -fno-builtin -Wall -Wextra \
 *         -Wl,--no-entry -Wl,-z,stack-size=65536 -o warehouse.wasm warehouse.c
 *
 * Imports:  env.report(order, cost)          called once for each order that was delivered
 * Exports:  memory
 *           run(orders) -> checksum          the whole simulation
 *           fib(n) -> i32                    the recursion everybody knows
 *           price(formula, quantity) -> i64  evaluates the formula at a string's address
 *           formula_address(i) -> address    of the i-th built-in formula
 *           divide(a, b) -> i32              traps when b is zero
 */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define EXPORT(name) __attribute__((export_name(#name), noinline))
#define NOINLINE __attribute__((noinline))

__attribute__((import_module("env"), import_name("report"))) void report(int order, int cost);

/* ---- the floor: a grid of cells ---------------------------------------------------------------------------- */

enum { WIDTH = 24, HEIGHT = 16, CELLS = WIDTH * HEIGHT };
enum cell { FLOOR, WALL, SHELF, DOCK };

typedef struct point {
    int x, y;
} point;

static u8 grid[CELLS];
static int distance[CELLS];
static point queue[CELLS];

/* ---- the goods and the orders ------------------------------------------------------------------------------ */

enum { GOODS = 12, MAX_ORDERS = 64, BUCKETS = 16 };

typedef struct good {
    u32 id;
    int stock;
    int weight; /* in grams */
    point shelf;
    struct good *next; /* in its bucket */
} good;

typedef struct order {
    int number;
    u32 good;
    int quantity;
    int cost; /* steps walked */
    i64 price;
    struct order *left, *right; /* in the ledger, by price */
} order;

typedef struct robot {
    point at;
    double battery; /* 0 to 100 */
    int trips;
} robot;

static good goods[GOODS];
static good *buckets[BUCKETS];
static order orders[MAX_ORDERS];
static order *ledger;
static robot robots[3];
static u32 seed;
static int failed_orders;

/* A formula has the variables q (quantity) and w (weight), integers, + - * / %, and parentheses. */
static const char *const formulas[] = {
    "q*w", "q*(w+25)-q/2", "(q+3)*(w%7+1)*2", "100+q*w/10-(q-1)*(q-2)", "((q))*((w*3-1)/(q+1))", "-q+w*w/(q*q+1)",
};
enum { FORMULAS = sizeof formulas / sizeof formulas[0] };

/* ---- little helpers ---------------------------------------------------------------------------------------- */

static u32 random_below(u32 limit) {
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % limit;
}

static int cell_index(point p) {
    return p.y * WIDTH + p.x;
}

NOINLINE static u32 hash(u32 value) {
    value = (value ^ (value >> 16)) * 0x45d9f3bu;
    value = (value ^ (value >> 16)) * 0x45d9f3bu;
    return value ^ (value >> 16);
}

static u64 mix(u64 sum, u64 value) {
    sum ^= value + 0x9e3779b97f4a7c15ull + (sum << 6) + (sum >> 2);
    return sum;
}

EXPORT(fib) int fib(int n) {
    if (n < 2) {
        return n;
    }
    int before = fib(n - 2);
    int last = fib(n - 1);
    return before + last;
}

EXPORT(divide) int divide(int a, int b) {
    return a / b;
}

/* ---- the price formulas: a recursive-descent evaluator ----------------------------------------------------- */

typedef struct parser {
    const char *at;
    i64 quantity;
    i64 weight;
    int depth;
} parser;

static i64 expression(parser *p);

NOINLINE static i64 factor(parser *p) {
    char c = *p->at;
    if (c == '(') {
        p->at++;
        p->depth++;
        i64 inner = expression(p);
        if (*p->at == ')') {
            p->at++;
        }
        p->depth--;
        return inner;
    }
    if (c == '-') {
        p->at++;
        return -factor(p);
    }
    if (c == 'q' || c == 'w') {
        p->at++;
        return c == 'q' ? p->quantity : p->weight;
    }
    i64 number = 0;
    while (*p->at >= '0' && *p->at <= '9') {
        number = number * 10 + (*p->at - '0');
        p->at++;
    }
    return number;
}

NOINLINE static i64 term(parser *p) {
    i64 value = factor(p);
    for (;;) {
        char sign = *p->at;
        if (sign != '*' && sign != '/' && sign != '%') {
            return value;
        }
        p->at++;
        i64 right = factor(p);
        switch (sign) {
        case '*':
            value *= right;
            break;
        case '/':
            value = right ? value / right : 0;
            break;
        default:
            value = right ? value % right : 0;
        }
    }
}

NOINLINE static i64 expression(parser *p) {
    i64 value = term(p);
    while (*p->at == '+' || *p->at == '-') {
        char sign = *p->at++;
        i64 right = term(p);
        value = sign == '+' ? value + right : value - right;
    }
    return value;
}

EXPORT(formula_address) const char *formula_address(u32 i) {
    return formulas[i % FORMULAS];
}

EXPORT(price) i64 price(const char *formula, int quantity) {
    parser p = {formula, quantity, 250, 0};
    return expression(&p);
}

/* ---- the floor and its paths ------------------------------------------------------------------------------- */

static void build_floor(void) {
    for (int i = 0; i < CELLS; i++) {
        int x = i % WIDTH, y = i / WIDTH;
        int border = x == 0 || y == 0 || x == WIDTH - 1 || y == HEIGHT - 1;
        grid[i] = border ? WALL : FLOOR;
    }
    /* Two inner walls with a gap each. */
    for (int y = 1; y < HEIGHT - 1; y++) {
        if (y != 3) {
            grid[y * WIDTH + 8] = WALL;
        }
        if (y != HEIGHT - 4) {
            grid[y * WIDTH + 16] = WALL;
        }
    }
    grid[1 * WIDTH + 1] = DOCK;
}

static void stock_shelves(void) {
    for (int i = 0; i < BUCKETS; i++) {
        buckets[i] = 0;
    }
    for (u32 i = 0; i < GOODS; i++) {
        good *g = &goods[i];
        g->id = 1000 + i * 37;
        g->stock = 5 + (int)random_below(40);
        g->weight = 100 + (int)random_below(900);
        do {
            g->shelf.x = 1 + (int)random_below(WIDTH - 2);
            g->shelf.y = 1 + (int)random_below(HEIGHT - 2);
        } while (grid[cell_index(g->shelf)] != FLOOR);
        grid[cell_index(g->shelf)] = SHELF;
        u32 bucket = hash(g->id) % BUCKETS;
        g->next = buckets[bucket];
        buckets[bucket] = g;
    }
}

NOINLINE static good *find_good(u32 id) {
    for (good *g = buckets[hash(id) % BUCKETS]; g; g = g->next) {
        if (g->id == id) {
            return g;
        }
    }
    return 0;
}

/* Steps on the shortest way between two cells, or -1: a breadth-first search. Shelves are reached, never crossed. */
NOINLINE static int find_path(point from, point to) {
    static const int dx[4] = {1, 0, -1, 0}, dy[4] = {0, 1, 0, -1};
    for (int i = 0; i < CELLS; i++) {
        distance[i] = -1;
    }
    int head = 0, tail = 0;
    queue[tail++] = from;
    distance[cell_index(from)] = 0;
    while (head < tail) {
        point here = queue[head++];
        if (here.x == to.x && here.y == to.y) {
            return distance[cell_index(here)];
        }
        for (int direction = 0; direction < 4; direction++) {
            point next = {here.x + dx[direction], here.y + dy[direction]};
            int i = cell_index(next);
            int goal = next.x == to.x && next.y == to.y;
            if (distance[i] >= 0 || grid[i] == WALL || (grid[i] == SHELF && !goal)) {
                continue;
            }
            distance[i] = distance[cell_index(here)] + 1;
            queue[tail++] = next;
        }
    }
    return -1;
}

/* The free floor that can be reached from a cell: a recursive flood fill over a scratch copy. */
NOINLINE static int reachable(u8 *seen, int x, int y) {
    int i = y * WIDTH + x;
    if (x < 0 || y < 0 || x >= WIDTH || y >= HEIGHT || seen[i] || grid[i] == WALL) {
        return 0;
    }
    seen[i] = 1;
    return 1 + reachable(seen, x + 1, y) + reachable(seen, x - 1, y) + reachable(seen, x, y + 1) +
           reachable(seen, x, y - 1);
}

/* ---- the robots --------------------------------------------------------------------------------------------- */

/* A robot's choice is made through a table of functions, so that there are indirect calls to step into. */
typedef int (*score_function)(const robot *r, const good *g);

static int score_nearest(const robot *r, const good *g) {
    int x = r->at.x - g->shelf.x, y = r->at.y - g->shelf.y;
    return -((x < 0 ? -x : x) + (y < 0 ? -y : y));
}

static int score_battery(const robot *r, const good *g) {
    return (int)r->battery - g->weight / 100;
}

static int score_rested(const robot *r, const good *g) {
    return -r->trips * 3 + (int)(g->id & 1);
}

static const score_function scores[] = {score_nearest, score_battery, score_rested};

NOINLINE static robot *choose_robot(const good *g, int round) {
    score_function score = scores[round % 3];
    robot *best = &robots[0];
    int best_score = score(best, g);
    for (int i = 1; i < 3; i++) {
        int s = score(&robots[i], g);
        if (s > best_score) {
            best = &robots[i];
            best_score = s;
        }
    }
    return best;
}

NOINLINE static int fetch(robot *r, good *g, int quantity) {
    point dock = {1, 1};
    int there = find_path(r->at, g->shelf);
    int back = find_path(g->shelf, dock);
    if (there < 0 || back < 0) {
        return -1;
    }
    double load = (double)(g->weight * quantity) / 1000.0;
    r->battery -= 0.25 * (there + back) * (1.0 + load / 50.0);
    if (r->battery < 20.0) {
        r->battery = 100.0; /* a rest at the dock */
    }
    r->at = dock;
    r->trips++;
    return there + back;
}

/* ---- the ledger: orders in a binary tree, by price ---------------------------------------------------------- */

NOINLINE static order *insert(order *root, order *o) {
    if (!root) {
        return o;
    }
    if (o->price < root->price) {
        root->left = insert(root->left, o);
    } else {
        root->right = insert(root->right, o);
    }
    return root;
}

NOINLINE static u64 sum_ledger(const order *root, u64 sum, int depth) {
    if (!root) {
        return sum;
    }
    sum = sum_ledger(root->left, sum, depth + 1);
    sum = mix(sum, (u64)root->price * 31 + (u64)root->cost + (u64)depth);
    return sum_ledger(root->right, sum, depth + 1);
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

NOINLINE static int deliver(order *o, int round) {
    good *g = find_good(o->good);
    if (!g || g->stock < o->quantity) {
        failed_orders++;
        return 0;
    }
    parser p = {formulas[round % FORMULAS], o->quantity, g->weight, 0};
    o->price = expression(&p);
    robot *r = choose_robot(g, round);
    o->cost = fetch(r, g, o->quantity);
    if (o->cost < 0) {
        failed_orders++;
        return 0;
    }
    g->stock -= o->quantity;
    ledger = insert(ledger, o);
    report(o->number, o->cost);
    return 1;
}

EXPORT(run) int run(int count) {
    static u8 seen[CELLS];
    seed = 2463534242u;
    ledger = 0;
    failed_orders = 0;
    build_floor();
    stock_shelves();
    for (int i = 0; i < 3; i++) {
        robots[i] = (robot){{1 + i, 1}, 100.0 - i * 10, 0};
    }
    for (int i = 0; i < CELLS; i++) {
        seen[i] = 0;
    }
    u64 sum = (u64)reachable(seen, 1, 1);
    if (count > MAX_ORDERS) {
        count = MAX_ORDERS;
    }
    for (int i = 0; i < count; i++) {
        u32 wanted = random_below(GOODS + 1); /* sometimes a good that is not sold here */
        orders[i] = (order){i + 1, 1000 + wanted * 37, 1 + (int)random_below(6), 0, 0, 0, 0};
        deliver(&orders[i], i);
    }
    sum = sum_ledger(ledger, sum, 0);
    for (int i = 0; i < 3; i++) {
        sum = mix(sum, (u64)(robots[i].battery * 1000.0) + (u64)robots[i].trips);
    }
    sum = mix(sum, (u64)failed_orders);
    sum = mix(sum, (u64)fib(7));
    return (int)(sum ^ (sum >> 32));
}
