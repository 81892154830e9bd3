// The source of the weights of a pass (hwgen/rtl/feeder.py, credits.py).
#pragma once
#include <array>

#include "archive.h"

namespace hwgen {

struct Feeder {
    static constexpr unsigned BANKS = 2;
    // When each group has given back its newest banks.
    struct Released {
        std::array<Cycle, 4> when;
        uint64_t count = 0;
    };
    const Config *config = nullptr;
    bool active = false, fresh = true, thresholds = false;
    bool gates = false, gated = false;  // the pass, the pass before
    unsigned round = 0;                 // words of the round
    Cycle ends_at = 0;                  // cycle of its last word, unless `fresh`
    unsigned chunk_words = 0;
    int64_t chunks = 0;
    uint64_t taken = 0;  // chunks that were given banks
    std::vector<Released> released;
    uint64_t loaded = 0;  // chunks that are there
    Delayed<char> arrivals;
    Cycle next = 0;  // cycle that must be stepped

    void build(const Config &c) {
        config = &c;
        released.resize(c.clusters * c.groups);
    }
    void release(unsigned group, Cycle when) {
        Released &mine = released[group];
        mine.when[mine.count++ & 3] = when;
        if (active && fresh) next = std::min(next, when);
    }
    // The first cycle in which every group has a free bank, as far as that is known. Behind a gate thresholds need both:
    // they would overwrite those that are in use.
    Cycle room_at() const {
        const unsigned banks = thresholds && gated ? 1 : BANKS;
        if (taken < banks) return 0;
        const uint64_t number = taken - banks;
        Cycle room = 0;
        for (const Released &mine : released) {
            if (mine.count <= number) return NEVER;
            room = std::max(room, mine.when[number & 3]);
        }
        return room;
    }
    bool starts(Cycle now) const { return active && fresh && room_at() <= now; }
    bool ends_round(Cycle now) const { return fresh ? starts(now) && round == 1 : now == ends_at; }
    bool ready(Cycle now) const { return !active || (ends_round(now) && !thresholds && chunks == 1); }

    // Chunks that have arrived are counted for the cycle that begins.
    bool begin(Cycle now) {
        bool some = arrivals.due(now);
        while (arrivals.due(now)) arrivals.take(), loaded++;
        return some;
    }

    void step(Cycle now, const PassFields *command, Counters &counters) {
        const bool takes_command = ready(now), ends = active && ends_round(now);
        if (starts(now)) {
            taken += !thresholds;
            counters.weight_words_sent += round;
            ends_at = now + round - 1;
            fresh = false;
        }
        if (ends) {
            fresh = true;
            if (!thresholds) arrivals.at(now + config->weights_loaded, 0), chunks--;
            thresholds = false;
            round = chunk_words;
        }
        if (takes_command) {
            active = command;
            if (active) begin_pass(*command);
        }
        next = !active ? NEVER : fresh ? std::max(now + 1, room_at()) : ends_at;
    }

    template <class Archive>
    void archive(Archive &a) {
        a.value(active), a.value(fresh), a.value(thresholds), a.value(gates), a.value(gated), a.value(round), a.value(chunk_words);
        a.time(ends_at), a.time(next);
        a.chunk(taken), a.chunk(loaded);
        for (Released &mine : released) {
            a.chunk(mine.count);
            a.time(mine.when[(mine.count - 1) & 3]), a.time(mine.when[(mine.count - 2) & 3]);
        }
        hwgen::archive(a, arrivals);
        if (Archive::RESTORES && active) chunks = int64_t(a.chunks.part(sends()).end - sends());
    }
    // The chunk whose words are being sent.
    uint64_t sends() const { return loaded + (arrivals.write - arrivals.read); }

private:
    void begin_pass(const PassFields &command) {
        const unsigned slots = config->group * unsigned(command.slots);
        fresh = true;
        thresholds = command.thresholds;
        chunks = command.chunks;
        chunk_words = slots / config->weight_slots;
        round = thresholds ? slots / config->thresholds_per_word : chunk_words;
        gated = gates;
        gates = config->gated && command.gate;
    }
};

}  // namespace hwgen
