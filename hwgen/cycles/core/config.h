// What the model has to know of a configuration; filled by hwgen/cycles/core.py, in this order.
#pragma once
#include <cstdint>

namespace hwgen {

using Cycle = uint64_t;
constexpr Cycle NEVER = ~Cycle(0);

struct Config {
    int32_t clusters, groups, group, lanes, slots, queue, rows, gated;
    int32_t mac_depth;  // cycles from the last step of a row to its products, less one
    int32_t weights_loaded;  // cycles from the last word of a chunk until a group may use it
    int32_t drain_lanes, distant_drain, pool;
    int32_t activation_words, activation_banks, weight_words, parameter_words;
    int32_t weight_slots, thresholds_per_word;
    int32_t beat_bytes, outstanding, burst, queue_depth, prefetch, token_bits, sequential;
    int32_t word_bytes[3];  // of a word of each target of a LOAD
    int32_t mac_steps[16];  // of a row, by mode
    // The memory beside the accelerator
    int32_t latency, rate;  // cycles to the first beat; beats in 256 cycles
};

inline unsigned bit_length(uint64_t value) {
    unsigned bits = 0;
    for (; value; value >>= 1) bits++;
    return bits;
}

inline unsigned ceil_log2(uint64_t value) { return value <= 1 ? 0 : bit_length(value - 1); }

}  // namespace hwgen
