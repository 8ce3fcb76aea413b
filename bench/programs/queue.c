/* A small system of tasks that send each other packets through linked queues: pointers, and calls through them. */
#include "support.h"

struct packet {
    struct packet *next;
    uint32_t kind, value, hops;
};

struct task;
typedef void (*handler)(struct task *, struct packet *);

struct task {
    struct task *next;
    struct packet *inbox, **last;
    handler handle;
    struct task *peers[3];
    uint32_t priority, state, handled;
    int held;
};

#define TASKS 24
#define PACKETS 96

static struct task tasks[TASKS];
static struct packet packets[PACKETS];
static struct task *ready;
static uint32_t alive;

static void send(struct task *to, struct packet *packet)
{
    packet->next = 0;
    *to->last = packet;
    to->last = &packet->next;
    if (to->held)
        return;
    to->held = 1;
    /* The highest priority first. */
    struct task **at = &ready;
    while (*at && (*at)->priority >= to->priority)
        at = &(*at)->next;
    to->next = *at;
    *at = to;
}

static void pass_on(struct task *self, struct packet *packet, uint32_t which)
{
    if (--packet->hops == 0) {
        alive--;
        return;
    }
    send(self->peers[which % 3], packet);
}

static void worker(struct task *self, struct packet *packet)
{
    self->state = mix(self->state, packet->value);
    packet->value ^= self->state >> 3;
    pass_on(self, packet, self->state >> 9);
}

static void device(struct task *self, struct packet *packet)
{
    packet->kind = (packet->kind + 1) & 3;
    self->state += packet->kind;
    pass_on(self, packet, packet->kind);
}

static void router(struct task *self, struct packet *packet)
{
    uint32_t odd = 0;
    for (uint32_t bits = packet->value; bits; bits &= bits - 1)
        odd ^= 1;
    self->state = self->state << 1 | odd;
    pass_on(self, packet, odd + packet->kind);
}

static void schedule(void)
{
    while (ready) {
        struct task *task = ready;
        ready = task->next;
        task->held = 0;
        struct packet *packet = task->inbox;
        task->inbox = 0;
        task->last = &task->inbox;
        while (packet) {
            struct packet *next = packet->next;
            task->handled++;
            task->handle(task, packet);
            packet = next;
        }
    }
}

PROGRAM
{
    static const handler handlers[] = { worker, device, router };
    for (uint32_t i = 0; i < TASKS; i++) {
        struct task *task = &tasks[i];
        task->last = &task->inbox;
        task->handle = handlers[i % 3];
        task->priority = next_number() % 8;
        for (uint32_t j = 0; j < 3; j++)
            task->peers[j] = &tasks[(i * 5 + j * 7 + 1) % TASKS];
    }
    start();
    uint32_t sum = 0;
    for (uint32_t i = 0; i < PACKETS; i++) {
        packets[i].value = next_number();
        packets[i].kind = i & 3;
        packets[i].hops = 80000;
        alive++;
        send(&tasks[i % TASKS], &packets[i]);
    }
    schedule();
    for (uint32_t i = 0; i < TASKS; i++)
        sum = mix(mix(sum, tasks[i].state), tasks[i].handled);
    end();
    CHECK(mix(sum, alive), 0xfcfa68c2u);
}
