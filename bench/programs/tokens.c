/* Writes a document in a notation like JSON, then reads it: tokens, numbers, strings, nesting. */
#include "support.h"

#define SIZE 500000

static char text[SIZE + 600];
static uint32_t length;

static void put(const char *from)
{
    while (*from)
        text[length++] = *from++;
}

static void put_number(uint32_t number)
{
    char digits[12];
    int count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        text[length++] = digits[--count];
}

static void write_value(int depth)
{
    uint32_t number = next_number() >> 5;
    switch (depth > 6 ? number % 5 : number % 8) {
    case 0: put("null"); break;
    case 1: put(number & 64 ? "true" : "false"); break;
    case 2: put("-"); put_number(number); put(".5"); break;
    case 3: put_number(number % 1000); break;
    case 4: put("\"a \\\"quoted\\\" word and \\n a line\""); break;
    case 5:
        put("[");
        for (uint32_t i = 0; i < number / 8 % 6; i++) {
            if (i) put(", ");
            write_value(depth + 1);
        }
        put("]");
        break;
    default:
        put("{\n");
        for (uint32_t i = 0; i < number / 8 % 5; i++) {
            if (i) put(",\n");
            put("  \"key");
            put_number(i);
            put("\": ");
            write_value(depth + 1);
        }
        put("}");
    }
}

enum kind { NOTHING, WORD, NUMBER, STRING, OPEN, CLOSE, COMMA, COLON };

struct reader {
    const char *at, *end;
    uint32_t sum, depth, deepest, counts[8];
    double total;
};

static enum kind next_token(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n'))
        r->at++;
    if (r->at == r->end)
        return NOTHING;
    char c = *r->at++;
    switch (c) {
    case '{': case '[': return OPEN;
    case '}': case ']': return CLOSE;
    case ',': return COMMA;
    case ':': return COLON;
    case '"':
        for (; *r->at != '"'; r->at++) {
            if (*r->at == '\\')
                r->at++;
            r->sum = mix(r->sum, (uint8_t)*r->at);
        }
        r->at++;
        return STRING;
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': {
        double sign = c == '-' ? -1 : 1, value = c == '-' ? 0 : c - '0', scale = 1;
        while (*r->at >= '0' && *r->at <= '9')
            value = value * 10 + (*r->at++ - '0');
        if (*r->at == '.')
            for (r->at++; *r->at >= '0' && *r->at <= '9'; r->at++)
                value += (*r->at - '0') * (scale /= 10);
        r->total += sign * value;
        return NUMBER;
    }
    default:
        while (*r->at >= 'a' && *r->at <= 'z')
            r->at++;
        return WORD;
    }
}

PROGRAM
{
    put("[");
    while (length < SIZE) {
        /* Nothing is written past the end: a value at depth 3 is short. */
        if (length + 20000 > SIZE) {
            put("0,");
            continue;
        }
        write_value(3);
        put(",\n");
    }
    put("0]");
    start();
    struct reader reader = { 0 };
    for (int round = 0; round < 64; round++) {
        reader.at = text;
        reader.end = text + length;
        enum kind kind;
        while ((kind = next_token(&reader)) != NOTHING) {
            reader.counts[kind]++;
            if (kind == OPEN && ++reader.depth > reader.deepest)
                reader.deepest = reader.depth;
            if (kind == CLOSE)
                reader.depth--;
        }
        if (reader.depth != 0)
            __builtin_trap();
    }
    for (int i = 0; i < 8; i++)
        reader.sum = mix(reader.sum, reader.counts[i]);
    reader.sum = mix(reader.sum, reader.deepest);
    end();
    /* The total is a multiple of a half, below 2^53: exact. */
    CHECK(mix(reader.sum, (uint32_t)(int64_t)(reader.total * 2)), 0xa69ea1cdu);
}
