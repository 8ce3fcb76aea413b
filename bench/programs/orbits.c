/* Bodies that attract each other: doubles, divisions, roots. */
#include "support.h"

#define BODIES 8

struct body {
    double at[3], speed[3], mass;
};

static struct body bodies[BODIES];

static double energy(void)
{
    double sum = 0;
    for (int i = 0; i < BODIES; i++) {
        const struct body *b = &bodies[i];
        sum += b->mass * (b->speed[0] * b->speed[0] + b->speed[1] * b->speed[1] + b->speed[2] * b->speed[2]) / 2;
        for (int j = i + 1; j < BODIES; j++) {
            double x = b->at[0] - bodies[j].at[0], y = b->at[1] - bodies[j].at[1], z = b->at[2] - bodies[j].at[2];
            sum -= b->mass * bodies[j].mass / __builtin_sqrt(x * x + y * y + z * z + 0.01);
        }
    }
    return sum;
}

static void advance(double time)
{
    for (int i = 0; i < BODIES; i++) {
        struct body *b = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *c = &bodies[j];
            double way[3], square = 0.01;
            for (int k = 0; k < 3; k++) {
                way[k] = b->at[k] - c->at[k];
                square += way[k] * way[k];
            }
            double pull = time / (square * __builtin_sqrt(square));
            for (int k = 0; k < 3; k++) {
                b->speed[k] -= way[k] * c->mass * pull;
                c->speed[k] += way[k] * b->mass * pull;
            }
        }
    }
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < 3; k++)
            bodies[i].at[k] += time * bodies[i].speed[k];
}

PROGRAM
{
    for (int i = 0; i < BODIES; i++) {
        for (int k = 0; k < 3; k++) {
            bodies[i].at[k] = (double)(next_number() % 2000) / 100 - 10;
            bodies[i].speed[k] = (double)(next_number() % 200) / 1000 - 0.1;
        }
        bodies[i].mass = 0.1 + (double)(next_number() % 100) / 100;
    }
    double before = energy();
    start();
    for (int step = 0; step < 500000; step++)
        advance(0.0005);
    end();
    double lost = energy() / before - 1;
    CHECK(lost > -0.01 && lost < 0.01, 1u);
}
