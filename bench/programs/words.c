/* Counts words in a hash table with strings as keys, which grows as it fills. */
#include "support.h"

struct entry {
    const char *text;
    uint32_t length, hash, count;
};

static char letters[400000];
static struct entry tables[2][32768];
static struct entry *entries = tables[0];
static uint32_t capacity = 64, used, half;

static uint32_t hash_of(const char *text, uint32_t length)
{
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < length; i++)
        hash = mix(hash, (uint8_t)text[i]);
    return hash ^ hash >> 15;
}

static int same(const char *a, const char *b, uint32_t length)
{
    while (length && *a == *b)
        a++, b++, length--;
    return length == 0;
}

static struct entry *find(const char *text, uint32_t length, uint32_t hash)
{
    for (uint32_t i = hash;; i++) {
        struct entry *entry = &entries[i & (capacity - 1)];
        if (!entry->text || (entry->hash == hash && entry->length == length && same(entry->text, text, length)))
            return entry;
    }
}

static void grow(void)
{
    struct entry *old = entries;
    uint32_t size = capacity;
    half ^= 1;
    entries = tables[half];
    capacity *= 2;
    for (uint32_t i = 0; i < capacity; i++)
        entries[i].text = 0;
    for (uint32_t i = 0; i < size; i++)
        if (old[i].text)
            *find(old[i].text, old[i].length, old[i].hash) = old[i];
}

static void count(const char *text, uint32_t length)
{
    uint32_t hash = hash_of(text, length);
    struct entry *entry = find(text, length, hash);
    if (entry->text) {
        entry->count++;
        return;
    }
    entry->text = text;
    entry->length = length;
    entry->hash = hash;
    entry->count = 1;
    if (++used * 4 > capacity * 3)
        grow();
}

PROGRAM
{
    for (uint32_t i = 0; i < sizeof letters; i++) {
        uint32_t number = next_number() >> 8;
        letters[i] = number % 4 ? (char)('a' + number / 4 % 7) : ' ';
    }
    start();
    uint32_t sum = 0;
    for (int round = 0; round < 24; round++) {
        for (uint32_t i = 0; i < capacity; i++)
            entries[i].text = 0;
        capacity = 64, used = 0;
        for (uint32_t i = 0; i < sizeof letters;) {
            uint32_t from = i;
            while (i < sizeof letters && letters[i] != ' ')
                i++;
            if (i > from)
                count(letters + from, i - from);
            i++;
        }
        for (uint32_t i = 0; i < capacity; i++)
            if (entries[i].text)
                sum += entries[i].hash * entries[i].count;
        sum = mix(sum, used);
    }
    end();
    CHECK(sum, 0x5b76afa0u);
}
