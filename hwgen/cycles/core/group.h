// D engines in lockstep (hwgen/rtl/group/group.py, sequencer.py, interlock.py, chunks.py, queue.py).
#pragma once
#include <deque>

#include "counters.h"
#include "feeder.h"
#include "planner.h"

namespace hwgen {

// Things that follow the issue of a row after a fixed time, in order.
template <class T>
struct Delayed {
    std::deque<std::pair<Cycle, T>> events;
    void at(Cycle when, T what) { events.push_back({when, what}); }
    bool due(Cycle now) const { return !events.empty() && events.front().first <= now; }
    T take() {
        T what = events.front().second;
        events.pop_front();
        return what;
    }
};

struct Group {
    // Cycles from the issue of a row, beyond the latency of the MAC units
    static constexpr Cycle RELEASED = 2, DONE = 3, DECIDED = 4, GATE_DONE = 7, GATE_ENDED = 8;
    static constexpr Cycle DISTANCE = 4;  // from the issue of a row to the next of the same number

    const Config *config = nullptr;
    const std::vector<Decisions> *gates = nullptr;  // decisions of all gates of the program, in order
    unsigned index = 0;                             // among all groups
    unsigned level = 0;                             // vectors in the queue
    StreamBuffer<uint32_t> link;                    // what each vector is wanted by
    Planner planner;
    Decisions nothing;    // before the first gate
    unsigned gate_number = 0;
    // The row that is issued next
    bool there = false;
    PlannedRow row{};
    uint64_t chunks_done = 0;
    Cycle rest_until = 0;
    struct Issued {
        uint32_t row;
        Cycle when;
    } recent[DISTANCE - 1];
    unsigned newest = 0;
    // Gate: fired bits so far of the position at hand
    bool fires = false;
    // What follows
    Delayed<char> released, done, gate_done;
    Delayed<bool> decided;
    // In this cycle
    unsigned pops = 0;
    bool push = false, done_now = false;

    void build(const Config &c, unsigned number) {
        config = &c;
        index = number;
        planner.decisions = &nothing;
        for (Issued &issued : recent) issued = {~0u, 0};
    }
    void restart() {
        planner.decisions = &nothing;
        gate_number = 0;
    }
    bool queue_ready() const { return level != unsigned(config->queue); }
    bool accepts(bool wanted) const { return link.ready() && (queue_ready() || !wanted); }

    // What becomes visible in this cycle.
    void begin(Cycle now, Feeder &feeder) {
        if (released.due(now)) released.take(), feeder.released[index]++;
        done_now = done.due(now);
        if (done_now) done.take();
    }

    void sequence(Cycle now, uint64_t loaded, const GroupCommand *command, Counters &counters) {
        bool available = loaded > chunks_done, free = now >= rest_until;
        bool ready = there && available && free;
        bool enough = level > row.straddles;
        bool conflict = interlocked(now);
        bool issue = ready && (!row.some || (enough && !conflict));
        bool starts = issue && row.some;
        counters.array_busy += starts || !free;
        counters.array_unloaded += there && !available;
        counters.array_starved += ready && row.some && !enough;
        counters.array_interlocked += ready && row.some && enough && conflict;
        pops = starts ? row.pops : 0;
        if (issue) issued(now, counters);

        bool finished = gate_done.due(now);
        if (finished) gate_done.take();
        bool advance = planner.valid() && (!there || issue);
        PlannedRow next = advance ? planner.next(config->group) : PlannedRow{};
        planner.step(advance, next, finished, command);
        if (advance)
            row = next, there = true;
        else if (issue)
            there = false;
    }

private:
    bool interlocked(Cycle now) const {
        uint32_t number = row.row << 1 | row.bank;
        for (const Issued &issued : recent)
            if (issued.row == number && now < issued.when + DISTANCE) return true;
        return false;
    }

    void issued(Cycle now, Counters &counters) {
        const Cycle written = now + config->mac_latency;
        if (row.some) {
            counters.rows++;
            counters.dot_products += row.engines;
            rest_until = now + config->mac_interval;
            recent[newest] = {uint32_t(row.row << 1 | row.bank), now};
            newest = (newest + 1) % (DISTANCE - 1);
            if (row.gate) judge(written, counters);
        }
        if (row.release) released.at(written + RELEASED, 0), chunks_done++;
        if (!row.end) return;
        if (row.gate) {
            planner.decisions = &(*gates)[gate_number++];
            gate_done.at(written + GATE_DONE, 0);
        }
        done.at(written + (row.gate ? GATE_ENDED : DONE), 0);
    }

    void judge(Cycle written, Counters &counters) {
        unsigned fired = (*gates)[gate_number].fired[row.row];
        counters.fired += __builtin_popcount(fired);
        fires |= fired != 0;
        if (!row.completes) return;
        decided.at(written + DECIDED, fires);
        fires = false;
    }
};

}  // namespace hwgen
