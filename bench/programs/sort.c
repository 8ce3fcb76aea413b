/* Sorts records by several orders, each a function behind a pointer. */
#include "support.h"

#define COUNT 60000

struct record {
    uint32_t key, weight, id;
};

typedef int (*order)(const struct record *, const struct record *);

static struct record records[COUNT];
static struct record *sorted[COUNT];

static int by_key(const struct record *a, const struct record *b)
{
    return a->key < b->key ? -1 : a->key > b->key;
}

static int by_weight(const struct record *a, const struct record *b)
{
    return a->weight != b->weight ? (int)(b->weight - a->weight) : by_key(a, b);
}

static int by_id(const struct record *a, const struct record *b)
{
    return (int)(a->id - b->id);
}

static void exchange(struct record **a, struct record **b)
{
    struct record *saved = *a;
    *a = *b;
    *b = saved;
}

__attribute__((noinline)) static void sort(struct record **from, struct record **to, order before)
{
    while (to - from > 12) {
        struct record **middle = from + (to - from) / 2;
        if (before(*middle, *from) < 0) exchange(middle, from);
        if (before(to[-1], *from) < 0) exchange(to - 1, from);
        if (before(to[-1], *middle) < 0) exchange(to - 1, middle);
        struct record *pivot = *middle;
        struct record **low = from, **high = to - 1;
        do {
            while (before(*low, pivot) < 0) low++;
            while (before(pivot, *high) < 0) high--;
            if (low <= high) exchange(low++, high--);
        } while (low <= high);
        /* The smaller part by a call, the other one by going round. */
        if (high + 1 - from < to - low) {
            sort(from, high + 1, before);
            from = low;
        } else {
            sort(low, to, before);
            to = high + 1;
        }
    }
    for (struct record **i = from + 1; i < to; i++)
        for (struct record **j = i; j > from && before(*j, j[-1]) < 0; j--)
            exchange(j, j - 1);
}

PROGRAM
{
    static const order orders[] = { by_key, by_weight, by_id };
    for (uint32_t i = 0; i < COUNT; i++) {
        records[i].key = next_number();
        records[i].weight = next_number() % 1000;
        records[i].id = i;
        sorted[i] = &records[i];
    }
    start();
    uint32_t sum = 0;
    for (int round = 0; round < 12; round++) {
        order before = orders[round % 3];
        sort(sorted, sorted + COUNT, before);
        for (uint32_t i = 1; i < COUNT; i++)
            if (before(sorted[i], sorted[i - 1]) < 0)
                __builtin_trap();
        for (uint32_t i = 0; i < COUNT; i += 100)
            sum = mix(sum, sorted[i]->id);
    }
    end();
    CHECK(sum, 0x6ffed3b0u);
}
