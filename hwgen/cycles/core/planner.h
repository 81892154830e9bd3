// From commands to rows: what comes next (hwgen/rtl/group/planner.py, row_source.py, row_counter.py, task_rows.py).
#pragma once
#include "chunks.h"
#include "fifo.h"

namespace hwgen {

struct GroupCommand {
    bool gate, conditional, bank;
    unsigned slots, positions;  // positions of the cluster
    int64_t chunks;
    uint64_t first;  // chunk
    unsigned mode;
    const uint8_t *trimmed = nullptr;  // modes of the vectors, chunk after chunk; none: all in `mode`
};

// hwgen/rtl/group/layouts.py: planned_row.
struct PlannedRow {
    bool some, release, end, gate, conditional, completes, straddles, bank;
    uint8_t pops, engines, mode;
    uint16_t row;
};

// Walks all rows of a position, position after position.
struct RowCounter {
    unsigned row = 0, column = 0, position = 0;

    bool completes(unsigned slots) const { return column + 1 == slots; }
    bool last(unsigned slots, unsigned positions) const {
        return !positions || (completes(slots) && position + 1 == positions);
    }
    void advance(unsigned slots, unsigned positions) {
        if (last(slots, positions)) {
            row = column = position = 0;
        } else if (completes(slots)) {
            row++, position++, column = 0;
        } else {
            row++, column++;
        }
    }
};

// Fetches the records of task rows ahead of their use.
struct TaskRows {
    bool fetched = false, valid = false, fetched_last = false, last = false;
    unsigned store_row = 0, fetched_row = 0, row = 0;

    template <class Archive>
    void archive(Archive &a) {
        a.value(fetched), a.value(valid), a.value(store_row);
        if (fetched) a.value(fetched_row), a.value(fetched_last);
        if (valid) a.value(row), a.value(last);
    }
    void forget() {
        fetched = valid = false;
        store_row = 0;
    }
    // On by so many rows of all, while nothing is missing.
    void jump(unsigned by, unsigned rows) {
        row = (row + by) % rows, fetched_row = (fetched_row + by) % rows, store_row = (store_row + by) % rows;
        last = row + 1 == rows, fetched_last = fetched_row + 1 == rows;
    }
    void step(unsigned rows, bool advance) {
        bool moves = fetched && (!valid || advance);
        bool reads = !fetched || moves;
        if (moves)
            valid = true, row = fetched_row, last = fetched_last;
        else if (advance)
            valid = false;
        if (reads) {
            fetched = true;
            fetched_row = store_row;
            fetched_last = store_row + 1 == rows;
            store_row = fetched_last ? 0 : store_row + 1;
        } else if (moves) {
            fetched = false;
        }
    }
};

struct Planner {
    StreamBuffer<GroupCommand> commands;
    RowCounter dense;
    TaskRows tasks;
    int64_t chunk = 1;    // number of the current chunk in its command
    bool gating = false;  // the end of a gate has been taken, and the gate is not done
    const Decisions *decisions = nullptr;  // of the last gate

    bool active() const { return commands.valid && !gating; }
    bool some() const { return !decisions->rows.empty(); }
    bool valid() const {
        if (!active()) return false;
        return !commands.out.conditional || tasks.valid || !some();
    }
    PlannedRow next(unsigned engines) const {
        const GroupCommand &command = commands.out;
        PlannedRow planned{};
        bool last_chunk = chunk == command.chunks;
        planned.bank = command.bank;
        planned.mode = command.mode;
        if (command.trimmed && command.positions)
            planned.mode = command.trimmed[uint64_t(chunk - 1) * command.positions + dense.position];
        planned.conditional = command.conditional;
        planned.gate = command.gate && last_chunk;
        if (!command.conditional) {
            planned.some = command.positions;
            planned.release = dense.last(command.slots, command.positions);
            planned.completes = dense.completes(command.slots);
            planned.pops = planned.completes;
            planned.row = dense.row;
            planned.engines = engines;
        } else if (some()) {
            const TaskRow &record = decisions->rows[tasks.row];
            planned.some = true;
            planned.release = tasks.last;
            planned.pops = record.pops;
            planned.straddles = record.straddles();
            planned.row = tasks.row;
            planned.engines = record.last + 1;
        } else {
            planned.release = true;
        }
        planned.end = planned.release && last_chunk;
        return planned;
    }
    // It will not change until a row is taken or a command comes.
    bool settled() const {
        bool walks_tasks = active() && commands.out.conditional && some();
        return !walks_tasks || (tasks.fetched && tasks.valid);
    }
    // Ends the cycle. `taken`: the row of this cycle was; `comes`: a command arrives.
    void step(bool taken, const PlannedRow &row, bool gate_done, const GroupCommand *comes) {
        const GroupCommand &command = commands.out;
        bool walks_tasks = active() && command.conditional && some();
        if (walks_tasks)
            tasks.step(decisions->rows.size(), taken);
        else
            tasks.forget();
        if (taken && !command.conditional) dense.advance(command.slots, command.positions);
        if (taken && row.release) chunk = row.end ? 1 : chunk + 1;
        if (taken && row.gate && row.end)
            gating = true;
        else if (gate_done)
            gating = false;
        if (comes || (taken && row.end)) commands.step(taken && row.end, comes, comes ? *comes : GroupCommand{});
    }

    // The first chunk with a row that has not been taken.
    uint64_t walks() const { return commands.out.first + uint64_t(chunk - 1); }
    // No gate is under way. `command(part)`: what a group is told of a pass.
    template <class Archive, class Command>
    void archive(Archive &a, Command &&command) {
        a.value(commands.valid), a.value(commands.spare_valid);
        if (Archive::RESTORES) chunk = 1;
        uint64_t at = walks();
        if (commands.valid) a.chunk(at);
        if (Archive::RESTORES && commands.valid) {
            const Chunks::Part &part = a.chunks.part(at);
            commands.out = command(part);
            chunk = int64_t(at - part.pass.first) + 1;
            if (commands.spare_valid) commands.spare = command(a.chunks.following(part));
        }
        a.value(dense.row), a.value(dense.column), a.value(dense.position);
        tasks.archive(a);
    }
};

}  // namespace hwgen
