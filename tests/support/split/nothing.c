/* A unit that has nothing but data: its skeleton has no code. */
int spare = 7;
