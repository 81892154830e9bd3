// The source of the weights of a pass (hwgen/rtl/feeder.py, credits.py).
#pragma once
#include <deque>

#include "counters.h"
#include "fields.h"

namespace hwgen {

struct Feeder {
    static constexpr unsigned BANKS = 2;
    static constexpr Cycle LOADED = 5;  // from the last word of a chunk until a group may use it
    const Config *config = nullptr;
    bool active = false, fresh = true, thresholds = false;
    bool gates = false, gated = false;  // the pass, the pass before
    unsigned left = 0;        // words of the round
    unsigned chunk_words = 0;
    int64_t chunks = 0;
    uint64_t taken = 0;                  // chunks that were given banks
    std::vector<uint64_t> released;      // chunks that each group has done with
    uint64_t loaded = 0;                 // chunks that are there
    std::deque<Cycle> arrivals;          // of the next ones

    void build(const Config &c) {
        config = &c;
        released.assign(c.clusters * c.groups, 0);
    }
    bool available() const {
        unsigned banks = thresholds && gated ? 1 : BANKS;
        for (uint64_t count : released)
            if (taken - count >= banks) return false;
        return true;
    }
    bool sends() const { return active && (!fresh || available()); }
    bool ready() const { return !active || (sends() && left == 1 && !thresholds && chunks == 1); }

    void step(Cycle now, const PassFields *command, Counters &counters) {
        while (!arrivals.empty() && arrivals.front() <= now + 1) arrivals.pop_front(), loaded++;
        bool takes_command = ready();
        if (sends()) {
            counters.weight_words_sent++;
            if (fresh && !thresholds) taken++;
            fresh = --left == 0;
            if (fresh) {
                if (!thresholds) arrivals.push_back(now + LOADED), chunks--;
                thresholds = false;
                left = chunk_words;
            }
        }
        if (!takes_command) return;
        active = command;
        if (!active) return;
        unsigned slots = config->group * unsigned(command->slots);
        fresh = true;
        thresholds = command->thresholds;
        chunks = command->chunks;
        chunk_words = slots / config->weight_slots;
        left = thresholds ? slots / config->thresholds_per_word : chunk_words;
        gated = gates;
        gates = config->gated && command->gate;
    }
};

}  // namespace hwgen
