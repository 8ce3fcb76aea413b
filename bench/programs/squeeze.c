/* Packs a text by referring back to what came before, unpacks it again, and compares. */
#include "support.h"

#define SIZE 300000
#define SLOTS 8192

static uint8_t text[SIZE], packed[SIZE * 2], unpacked[SIZE];
static int32_t last_seen[SLOTS];

static uint32_t slot_of(const uint8_t *at)
{
    uint32_t three = at[0] | at[1] << 8 | (uint32_t)at[2] << 16;
    return three * 2654435761u >> 19;
}

/* 0x00-0x7f: so many literals and one follow. 0x80-0xff: so many bytes and four, from as far back as the next two say. */
static uint32_t pack(uint8_t *out)
{
    uint32_t at = 0, plain = 0, to = 0;
    for (uint32_t i = 0; i < SLOTS; i++)
        last_seen[i] = -1;
    while (at < SIZE) {
        uint32_t length = 0, from = 0;
        if (at + 4 < SIZE) {
            uint32_t slot = slot_of(text + at);
            int32_t seen = last_seen[slot];
            last_seen[slot] = (int32_t)at;
            if (seen >= 0 && at - (uint32_t)seen < 65536) {
                from = (uint32_t)seen;
                while (at + length < SIZE && length < 131 && text[from + length] == text[at + length])
                    length++;
            }
        }
        if (length < 4) {
            at++;
            plain++;
        }
        while (plain && (length >= 4 || plain == 128 || at == SIZE)) {
            uint32_t run = plain < 128 ? plain : 128;
            out[to++] = (uint8_t)(run - 1);
            for (uint32_t i = 0; i < run; i++)
                out[to++] = text[at - plain + i];
            plain -= run;
        }
        if (length >= 4) {
            out[to++] = (uint8_t)(0x80 + length - 4);
            out[to++] = (uint8_t)(at - from);
            out[to++] = (uint8_t)((at - from) >> 8);
            at += length;
        }
    }
    return to;
}

static uint32_t unpack(const uint8_t *in, uint32_t size)
{
    uint32_t to = 0;
    for (uint32_t at = 0; at < size;) {
        uint32_t tag = in[at++];
        if (tag < 0x80) {
            for (uint32_t i = 0; i <= tag; i++)
                unpacked[to++] = in[at++];
        } else {
            uint32_t back = in[at] | (uint32_t)in[at + 1] << 8;
            at += 2;
            for (uint32_t i = 0; i < tag - 0x80 + 4; i++, to++)
                unpacked[to] = unpacked[to - back];
        }
    }
    return to;
}

PROGRAM
{
    static const char *const parts[] = { "the ", "quick ", "sorter ", "of ", "numbers ", "went ", "home.\n", "again, " };
    for (uint32_t at = 0; at < SIZE;) {
        uint32_t number = next_number() >> 7;
        for (const char *from = parts[number % 8]; *from && at < SIZE; from++)
            text[at++] = (uint8_t)*from;
        if (number % 5 == 0 && at < SIZE)
            text[at++] = (uint8_t)(number >> 8);
    }
    start();
    uint32_t sum = 0;
    for (int round = 0; round < 40; round++) {
        uint32_t size = pack(packed);
        if (unpack(packed, size) != SIZE)
            __builtin_trap();
        for (uint32_t i = 0; i < SIZE; i++)
            if (text[i] != unpacked[i])
                __builtin_trap();
        sum = mix(sum, size);
        text[(uint32_t)round * 1009] ^= 1;
    }
    end();
    CHECK(sum, 0x3f7f7a2cu);
}
