// Passes and drains one after the other (hwgen/rtl/sequential): how long each takes, and what is counted.
#pragma once
#include <algorithm>

#include "counters.h"
#include "fields.h"

namespace hwgen {

// Cycles from the first in which the array has the instruction to that of its end, both included. A tap takes a cycle more
// than it has rows.
inline uint64_t pass_cycles(const PassFields &f) { return f.chunks * (f.slots * f.positions + 1); }

// A slot takes two more than it has positions.
inline uint64_t drain_cycles(const DrainFields &f) {
    return std::min(f.slots, f.channels) * (f.positions + 2) + 1;
}

// A vector is read for every row, a weight word once a tap and slot.
inline void count_pass(const PassFields &f, Counters &counters) {
    const uint64_t rows = f.chunks * f.slots * f.positions;
    counters.rows += rows;
    counters.dot_products += rows;
    counters.vectors += rows;
    counters.vector_pushes += rows;
    counters.activation_reads += rows;
    counters.weight_words_sent += f.chunks * f.slots;
}

inline void count_drain(const DrainFields &f, Counters &counters) {
    const uint64_t sums = std::min(f.slots, f.channels) * f.positions;
    counters.sums_drained += sums;
    counters.activation_writes += sums;
}

}  // namespace hwgen
