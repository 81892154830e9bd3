// Queues between units. Units are stepped consumer first, so what a producer sees of a queue in a cycle must not depend
// on what its consumer has already taken in that cycle.
#pragma once
#include <vector>

#include "config.h"

namespace hwgen {

// hwgen/rtl/control/fifo.py: latency 1; when full, it takes nothing even while it gives.
template <class T>
struct StreamFifo {
    std::vector<T> rows;
    unsigned depth = 0, write = 0, read = 0;
    Cycle popped = NEVER;  // the cycle of the newest pop

    void build(unsigned size) { rows.resize(depth = size); }
    bool valid() const { return write != read; }
    bool ready(Cycle now) const { return write - read + (popped == now) != depth; }
    const T &front() const { return rows[read % depth]; }
    void pop(Cycle now) { read++, popped = now; }
    void push(const T &value) { rows[write++ % depth] = value; }
};

// What waits in a memory behind an output register; of hwgen/rtl/fifo.py (RamFifo) and credit_queue.py (CreditQueue).
// Pushed in one cycle, offered two cycles later. `step` ends the cycle.
struct RamQueue {
    unsigned level = 0;
    bool valid = false;  // of the output

    bool busy() const { return level || valid; }
    // True: the output changes.
    bool step(bool taken, bool push) {
        const bool pull = level && (!valid || taken);
        valid = pull || (valid && !taken);
        level += push - pull;
        return pull;
    }
};

// The same, and what is in it.
template <class T>
struct RamFifo : RamQueue {
    std::vector<T> rows;
    unsigned mask = 0, write = 0, read = 0;
    T out{};

    void build(unsigned least) {
        unsigned size = 1u << ceil_log2(least);
        rows.resize(size);
        mask = size - 1;
    }
    bool full() const { return level == mask + 1; }
    void step(bool taken, bool push, const T &value) {
        if (push) rows[write++ & mask] = value;
        if (RamQueue::step(taken, push)) out = rows[read++ & mask];
    }
    // `each` archives a row.
    template <class Archive, class Each>
    void archive(Archive &a, Each &&each) {
        a.value(level), a.value(valid);
        if (Archive::RESTORES) read = 0, write = level;
        if (valid) each(out);
        for (unsigned n = 0; n < level; n++) each(rows[(read + n) & mask]);
    }
};

// hwgen/rtl/group/buffer.py: two entries, latency 1. `ready` must be asked before `step`.
template <class T>
struct StreamBuffer {
    bool valid = false, spare_valid = false;
    T out{}, spare{};

    bool ready() const { return !spare_valid; }
    void step(bool taken, bool push, const T &value) {  // push: only if ready
        if (!valid || taken) {
            valid = push || spare_valid;
            if (spare_valid)
                out = spare;
            else if (push)
                out = value;
            spare_valid = false;
        } else if (push) {
            spare = value;
            spare_valid = true;
        }
    }
    template <class Archive, class Each>
    void archive(Archive &a, Each &&each) {
        a.value(valid), a.value(spare_valid);
        if (valid) each(out);
        if (spare_valid) each(spare);
    }
};

}  // namespace hwgen
