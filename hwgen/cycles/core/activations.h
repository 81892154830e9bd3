// The activation buffer (hwgen/rtl/activation_buffer.py, activation_bank.py, arbiter.py, read_port.py).
#pragma once
#include <vector>

#include "counters.h"
#include "fifo.h"

namespace hwgen {

// Who was served least recently goes first; in the beginning, who has the lowest number.
struct Arbiter {
    std::vector<uint64_t> served;
    uint64_t newest = 0;

    void build(unsigned ways) {
        served.resize(ways);
        for (unsigned n = 0; n < ways; n++) served[n] = n;
        newest = ways;
    }
    bool before(unsigned a, unsigned b) const { return served[a] < served[b]; }
    void serve(unsigned n) { served[n] = newest++; }
};

struct ReadPort {
    static constexpr unsigned ROOM = 16;
    uint32_t places[2] = {};  // requests that wait for their bank
    unsigned waiting = 0, oldest = 0;
    unsigned answers = 0;         // in memory; the oldest may be in the output register
    bool valid_ = false;
    unsigned free = ROOM;
    bool was_granted = false, has_room = true;
    // In this cycle
    bool asked = false, taken = false;
    uint32_t address = 0;

    bool ready() const { return waiting < 2; }
    void ask(uint32_t what) { asked = true, address = what; }
    bool valid() const { return valid_; }
    void take() { taken = true; }
    bool wants() const { return waiting && has_room; }
    uint32_t first() const { return places[oldest]; }
    bool idle() const {
        return !waiting && !answers && !valid_ && !asked && !was_granted && free == ROOM && has_room;
    }
    void step(bool granted, bool answered) {
        if (asked) places[(oldest + waiting) & 1] = address;
        waiting += asked - granted;
        oldest ^= granted;
        has_room = free > 2;
        free += taken - was_granted;
        was_granted = granted;
        bool pull = answers && (!valid_ || taken);
        if (pull)
            valid_ = true;
        else if (taken)
            valid_ = false;
        answers += answered - pull;
        asked = taken = false;
    }
};

struct WritePort {
    bool valid = false, granted = false;
    uint32_t address = 0;
};

struct ActivationBuffer {
    unsigned banks = 0, mask = 0, shift = 0, words = 0;
    std::vector<ReadPort> reads;
    std::vector<WritePort> writes;

    void build(const Config &config, unsigned readers, unsigned writers) {
        banks = config.clusters;
        words = config.clusters * config.activation_words;
        mask = banks - 1;
        shift = ceil_log2(banks);
        reads.resize(readers);
        writes.resize(writers);
        read_arbiters.resize(banks);
        write_arbiters.resize(banks);
        for (Arbiter &arbiter : read_arbiters) arbiter.build(readers);
        for (Arbiter &arbiter : write_arbiters) arbiter.build(writers);
        for (auto *stage : {&granted, &chosen, &reading, &answering, &write_granted, &writer})
            stage->assign(banks, Access{});
        answered.assign(readers, 0);
    }

    // Grants of this cycle: `granted` of each write port, and the readers that move on at the end of the cycle.
    void arbitrate(Counters &counters) {
        for (Access &access : granted) access.port = -1;
        for (Access &access : write_granted) access.port = -1;
        for (unsigned n = 0; n < writes.size(); n++) {
            writes[n].granted = false;
            if (writes[n].valid) compete(write_arbiters, write_granted, n, writes[n].address);
        }
        for (unsigned b = 0; b < banks; b++)
            if (int n = write_granted[b].port; n >= 0) {
                write_arbiters[b].serve(n);
                writes[n].granted = true;
                counters.activation_writes++;
            }
        if (hold) return;
        for (unsigned n = 0; n < reads.size(); n++)
            if (reads[n].wants()) compete(read_arbiters, granted, n, reads[n].first());
        for (unsigned b = 0; b < banks; b++)
            if (granted[b].port >= 0) read_arbiters[b].serve(granted[b].port), counters.activation_reads++;
    }

    void step() {
        // An answer has gone through `answering` when it reaches its port.
        for (const Access &access : answering)
            if (access.port >= 0) answered[access.port] = 1;
        bool conflict = false;
        for (unsigned b = 0; b < banks; b++) {
            answering[b] = read[b];
            read[b] = hold ? Access{} : reading[b];
            const Access &next_read = hold ? reading[b] : chosen[b];
            conflict |= next_read.port >= 0 && writer[b].port >= 0 && next_read.row == writer[b].row;
            if (!hold) {
                reading[b] = chosen[b];
                chosen[b] = granted[b];
            }
            writer[b] = write_granted[b];
        }
        for (unsigned n = 0; n < reads.size(); n++) was[n] = 0;
        if (!hold)
            for (const Access &access : granted)
                if (access.port >= 0) was[access.port] = 1;
        for (unsigned n = 0; n < reads.size(); n++) {
            reads[n].step(was[n], answered[n]);
            answered[n] = 0;
        }
        hold = conflict;
    }

private:
    struct Access {
        int port = -1;
        uint32_t row = 0;
    };
    std::vector<Arbiter> read_arbiters, write_arbiters;
    // A read: granted, then its row is chosen, the memory is accessed, it answers, the answer reaches its port.
    std::vector<Access> granted, chosen, reading, read{64}, answering;
    std::vector<Access> write_granted, writer;
    std::vector<uint8_t> answered, was = std::vector<uint8_t>(256);
    bool hold = false;  // a row would be read while it is written: all reads wait for a cycle

    void compete(std::vector<Arbiter> &arbiters, std::vector<Access> &winners, unsigned n, uint32_t address) {
        unsigned b = address & mask;
        Access &winner = winners[b];
        if (winner.port >= 0 && arbiters[b].before(winner.port, n)) return;
        winner = {int(n), (address & (words - 1)) >> shift};
    }
};

}  // namespace hwgen
