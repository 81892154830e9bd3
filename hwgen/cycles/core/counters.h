// Everything that is counted; hwgen/cycles/core.py has the same names in the same order.
#pragma once
#include <cstdint>

namespace hwgen {

enum Unit { FETCH, LOAD, STORE, ARRAY, DRAIN, VECTOR, UNITS };

struct Counters {
    // The hardware's own; see hwgen/isa/registers.py.
    uint64_t cycles = 0, instructions = 0;
    uint64_t array_busy = 0, array_starved = 0, array_unloaded = 0, array_interlocked = 0;
    uint64_t waiting[UNITS] = {}, busy[UNITS] = {};
    uint64_t bytes_read = 0, bytes_written = 0, fired = 0;
    // Operations, for models of energy.
    uint64_t rows = 0, dot_products = 0;                  // rows issued, engines that took part in them
    uint64_t vectors = 0, vector_pushes = 0;              // sent into the chains, taken by a group
    uint64_t weight_words_sent = 0, weight_words_written = 0;
    uint64_t activation_reads = 0, activation_writes = 0;  // words
    uint64_t records_written = 0, sums_drained = 0;

    uint64_t *begin() { return &cycles; }
    const uint64_t *begin() const { return &cycles; }
    void add(const Counters &others) {
        for (unsigned n = 0; n < sizeof *this / sizeof cycles; n++) begin()[n] += others.begin()[n];
    }
};

}  // namespace hwgen
