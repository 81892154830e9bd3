// D engines in lockstep (hwgen/rtl/group/group.py, sequencer.py, interlock.py, chunks.py, queue.py).
#pragma once
#include "counters.h"
#include "feeder.h"
#include "planner.h"

namespace hwgen {

struct Group {
    // Cycles from the issue of a row, beyond the latency of the MAC units
    static constexpr Cycle RELEASED = 2, DONE = 3, DECIDED = 4, GATE_DONE = 7, GATE_ENDED = 8;
    static constexpr Cycle DISTANCE = 4;  // from the issue of a row to the next of the same number

    const Config *config = nullptr;
    Feeder *feeder = nullptr;
    const std::vector<Decisions> *gates = nullptr;  // decisions of all gates of the program, in order
    unsigned index = 0;                             // among all groups
    bool runs = true;                               // rows of a position are issued at once
    unsigned level = 0;                             // vectors in the queue
    StreamBuffer<uint32_t> link;                    // what each vector is wanted by
    Planner planner;
    Decisions nothing;  // before the first gate
    unsigned gate_number = 0;
    // The row that is issued next
    bool there = false;
    PlannedRow row{};
    // The one behind it, while that waits
    bool aside = false;
    PlannedRow row_aside{};
    uint64_t chunks_done = 0;
    Cycle rest_until = 0;
    unsigned last_mode = 0;  // of the last row
    Cycle gone_until = 0;    // before, no row of another mode may follow it
    struct Issued {
        uint32_t row;
        Cycle when;
    } recent[DISTANCE - 1];
    unsigned newest = 0;
    bool fires = false;  // an earlier row of the position has fired
    Delayed<bool> decided;
    Delayed<char> gate_done, done;
    // The next cycle that must be stepped; before it, every cycle is like the others
    Cycle next = 0, run_until = 0, counted = 0;
    uint64_t Counters::*waits = nullptr;  // what those cycles count as
    // Vectors that leave the queue before `run_until`: two bits for each cycle
    static constexpr unsigned MOST_TASK_ROWS = 32;
    uint64_t leaving = 0;
    Cycle leaving_from = 0;

    void build(const Config &c, Feeder &source, unsigned number, bool in_runs) {
        config = &c;
        feeder = &source;
        index = number;
        runs = in_runs;
        planner.decisions = &nothing;
        for (Issued &issued : recent) issued = {~0u, 0};
    }
    void restart(Cycle now) {
        planner.decisions = &nothing;
        gate_number = 0;
        counted = now;
        waits = nullptr;
    }
    bool queue_ready() const { return level != unsigned(config->queue); }
    bool accepts(bool wanted) const { return link.ready() && (queue_ready() || !wanted); }
    // Something has changed that a row may have waited for.
    void poke(Cycle when) { next = std::min(next, std::max(when, run_until)); }

    unsigned leaves(Cycle now) const { return now < run_until && leaving ? leaving >> 2 * (now - leaving_from) & 3 : 0; }
    // The next cycle in which anything happens.
    Cycle wakes(Cycle now) const {
        if (now + 1 >= run_until || !leaving) return next;
        const uint64_t coming = leaving >> 2 * (now + 1 - leaving_from);
        return coming ? now + 1 + unsigned(__builtin_ctzll(coming)) / 2 : next;
    }

    // Vectors that leave the queue.
    unsigned sequence(Cycle now, const GroupCommand *command, Counters &counters) {
        if (waits) counters.*waits += now - counted;
        counted = now + 1;
        const bool available = feeder->loaded > chunks_done, free = now >= rest_until;
        const bool ready = there && available && free;
        const bool enough = level > row.straddles;
        const bool conflict = ready && interlocked(row, now);
        const bool issue = ready && (!row.some || (enough && !conflict));
        const unsigned pops = issue && row.some ? row.pops : 0;
        if (issue)
            issued(now, counters);
        else if (there)
            count_wait(available, ready, enough, counters);

        const bool finished = gate_done.due(now), settled = planner.settled();
        if (finished) gate_done.take();
        const bool planned = !aside && planner.valid(), room = !there || issue;
        const bool advance = room && (aside || planned);
        if (planned) row_aside = planner.next(config->group);
        planner.step(planned, row_aside, finished, command);
        if (advance)
            row = row_aside, there = true;
        else if (issue)
            there = false;
        aside = !room && (aside || planned);
        run_until = 0;
        if (issue || advance || planned || command || finished || conflict || !settled)
            next = now + 1;
        else
            next = std::min(gate_done.next(), there && available && !free ? rest_until : NEVER);
        if (advance && issue && runs) run(now, level - pops, counters);
        note_wait(now);
        return pops;
    }

    // Nothing of a gate is under way.
    bool archivable() const {
        const bool gates = planner.gating || (there && row.gate) || (aside && row_aside.gate);
        return !gates && decided.empty() && gate_done.empty();
    }
    template <class Archive, class Command>
    void archive(Archive &a, Command &&command, Counters &counters) {
        if (!Archive::RESTORES && waits) counters.*waits += a.now - counted;
        counted = a.now;
        a.value(level);
        link.archive(a, [&](uint32_t &want) { a.value(want); });
        planner.archive(a, command);
        const auto planned = [&](bool &is_there, PlannedRow &one) {
            a.value(is_there);
            if (!is_there) return;
            a.value(one.some), a.value(one.release), a.value(one.end), a.value(one.conditional), a.value(one.completes);
            a.value(one.straddles), a.value(one.bank), a.value(one.pops), a.value(one.engines), a.value(one.row);
            a.value(one.mode);
            one.gate = false;
        };
        planned(there, row), planned(aside, row_aside);
        a.chunk(chunks_done);
        hwgen::archive(a, done);
        a.time(rest_until), a.time(next), a.time(run_until), a.time(gone_until);
        if (gone_until <= a.now) last_mode = 0;
        a.value(last_mode);
        for (unsigned n = 0; n < DISTANCE - 1; n++) {
            Issued &issued = recent[(newest + n) % (DISTANCE - 1)];
            Cycle free = issued.when + DISTANCE;
            a.time(free);
            if (free <= a.now) issued.row = ~0u;
            a.value(issued.row);
            if (Archive::RESTORES) issued.when = free - DISTANCE;
        }
        unsigned waits_for = waits == &Counters::array_unloaded ? 1 : waits == &Counters::array_starved ? 2 : 0;
        a.value(waits_for);
        uint64_t coming = a.now < run_until ? leaving >> 2 * (a.now - leaving_from) : 0;
        a.value(coming);
        if (Archive::RESTORES) leaving = coming, leaving_from = a.now;
        waits = waits_for == 1 ? &Counters::array_unloaded : waits_for == 2 ? &Counters::array_starved : nullptr;
    }

private:
    bool interlocked(const PlannedRow &candidate, Cycle now) const {
        if (candidate.mode != last_mode && now < gone_until) return true;
        const uint32_t number = candidate.row << 1 | candidate.bank;
        for (const Issued &issued : recent)
            if (issued.row == number && now < issued.when + DISTANCE) return true;
        return false;
    }

    // What a cycle without a row counts as.
    void count_wait(bool available, bool ready, bool enough, Counters &counters) {
        if (!available)
            counters.array_unloaded++;
        else if (ready)
            (enough ? counters.array_interlocked : counters.array_starved)++;
    }

    // What the cycles until the next step count as.
    void note_wait(Cycle now) {
        waits = nullptr;
        if (next <= now + 1 || !there || run_until) return;
        if (feeder->loaded <= chunks_done)
            waits = &Counters::array_unloaded;
        else if (now >= rest_until)
            waits = &Counters::array_starved;
    }

    void remember(Cycle now) {
        recent[newest] = {uint32_t(row.row << 1 | row.bank), now};
        newest = newest + 1 == DISTANCE - 1 ? 0 : newest + 1;
    }

    void issued(Cycle now, Counters &counters) {
        const unsigned steps = row.some ? config->mac_steps[row.mode] : 1;
        const Cycle written = now + config->mac_depth + steps;
        if (row.some) {
            counters.rows++;
            counters.dot_products += row.engines;
            counters.array_busy += steps;
            rest_until = now + steps;
            last_mode = row.mode;
            gone_until = rest_until - 1 + DISTANCE;
            remember(now);
            if (row.gate) judge(written, counters);
        }
        if (row.release) feeder->release(index, written + RELEASED), chunks_done++;
        if (!row.end) return;
        if (row.gate) {
            planner.decisions = &(*gates)[gate_number++];
            gate_done.at(written + GATE_DONE, 0);
        }
        done.at(written + (row.gate ? GATE_ENDED : DONE), 0);
    }

    void judge(Cycle written, Counters &counters) {
        const unsigned fired = (*gates)[gate_number].fired[row.row];
        counters.fired += __builtin_popcount(fired);
        fires |= fired != 0;
        if (!row.completes) return;
        decided.at(written + DECIDED, fires);
        fires = false;
    }

    // Rows that need nothing but weights and vectors that are there are issued at once, but for the last two of a chunk.
    void run(Cycle now, unsigned vectors, Counters &counters) {
        if (config->mac_steps[row.mode] > 1 || planner.commands.out.trimmed || row.release || !row.some) return;
        if (!planner.active() || feeder->loaded <= chunks_done) return;
        leaving = 0;
        const unsigned rows = row.conditional ? run_tasks(now, vectors, counters) : run_position(now, vectors, counters);
        if (!rows) return;
        counters.rows += rows;
        counters.array_busy += rows;
        next = run_until = counted = rest_until = now + rows + 1;
        gone_until = now + rows + DISTANCE;
    }

    // All rows of a position up to the last, which takes the vector from the queue (or the one before, if a chunk ends with
    // that). How many.
    unsigned run_position(Cycle now, unsigned vectors, Counters &counters) {
        const GroupCommand &command = planner.commands.out;
        RowCounter &dense = planner.dense;
        if (!vectors || command.conditional || dense.column == 0) return 0;
        const bool last = dense.position + 1 == command.positions;
        const unsigned end = command.slots - 1 - last;
        if (dense.column > end) return 0;
        const unsigned rows = end - (dense.column - 1);
        PlannedRow one = row;
        for (unsigned n = 0; n < std::min<unsigned>(rows, DISTANCE - 1); n++, one.row++)
            if (interlocked(one, now + 1 + n)) return 0;
        counters.dot_products += rows * row.engines;
        for (unsigned n = 0; n < rows && row.gate; n++, row.row++) judge(0, counters);
        dense.row -= 1, dense.column -= 1;  // those of `row`
        for (unsigned n = rows - std::min<unsigned>(rows, DISTANCE - 1); n < rows; n++) {
            row.row = dense.row + n;
            remember(now + 1 + n);
        }
        dense.row += rows, dense.column += rows;
        row = planner.next(config->group);
        dense.row++, dense.column++;
        if (dense.column == command.slots) dense.column = 0, dense.position++;
        return rows;
    }

    // Task rows as far as the vectors reach, which leave the queue meanwhile. How many.
    unsigned run_tasks(Cycle now, unsigned vectors, Counters &counters) {
        const std::vector<TaskRow> &all = planner.decisions->rows;
        TaskRows &tasks = planner.tasks;
        if (!planner.commands.out.conditional || !tasks.valid || !tasks.fetched) return 0;
        const unsigned first = row.row, last = std::min<unsigned>(all.size() - 2, first + MOST_TASK_ROWS);
        unsigned rows = 0;
        for (unsigned at = first; at != last && vectors > all[at].straddles(); at++, rows++) {
            row.row = at;
            if (rows < DISTANCE - 1 && interlocked(row, now + 1 + rows)) break;
            remember(now + 1 + rows);
            vectors -= all[at].pops;
            leaving |= uint64_t(all[at].pops) << 2 * rows;
            counters.dot_products += all[at].last + 1;
        }
        row.row = first;
        if (!rows) return 0;
        leaving_from = now + 1;
        tasks.jump(rows - 1, all.size());
        row = planner.next(config->group);
        tasks.jump(1, all.size());
        return rows;
    }
};

}  // namespace hwgen
