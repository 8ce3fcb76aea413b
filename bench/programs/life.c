/* The game of life on a torus of bytes. */
#include "support.h"

#define WIDTH 256
#define HEIGHT 256

static uint8_t now[HEIGHT][WIDTH], later[HEIGHT][WIDTH];

static void generation(uint8_t (*from)[WIDTH], uint8_t (*to)[WIDTH])
{
    for (uint32_t y = 0; y < HEIGHT; y++) {
        const uint8_t *above = from[(y + HEIGHT - 1) % HEIGHT], *here = from[y], *below = from[(y + 1) % HEIGHT];
        for (uint32_t x = 0; x < WIDTH; x++) {
            uint32_t left = (x + WIDTH - 1) % WIDTH, right = (x + 1) % WIDTH;
            uint32_t around = above[left] + above[x] + above[right] + here[left] + here[right] + below[left] + below[x]
                + below[right];
            to[y][x] = around == 3 || (around == 2 && here[x]);
        }
    }
}

PROGRAM
{
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH; x++)
            now[y][x] = next_number() >> 9 & 1;
    start();
    for (int i = 0; i < 200; i++) {
        generation(now, later);
        generation(later, now);
    }
    uint32_t sum = 0;
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH; x++)
            sum = mix(sum, now[y][x] + x);
    end();
    CHECK(sum, 0xbd6b0e00u);
}
