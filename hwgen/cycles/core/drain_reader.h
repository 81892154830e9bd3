// From rows of sums to single sums on their way out (hwgen/rtl/group/drain_reader.py).
#pragma once
#include "fields.h"
#include "group.h"

namespace hwgen {

// A sum: which slot of the group and which position of the cluster.
struct Item {
    uint16_t slot, position;
};

// An item a cycle while they are taken, and one to say that it was the last; rows that have none go by on their own.
struct DrainReader {
    enum { ALL, FINISHED, TASKS };
    static constexpr Cycle FIRST = 4, NOTHING = 3;  // from the start of the drain to the first row, or to the end if there is none
    const Group *group = nullptr;
    int64_t source = 0;
    unsigned engines = 0, slots = 1, positions = 0;  // a task row counts as a position with one row
    RowCounter rows;
    bool more = false;   // `rows` is one that has not been read
    uint32_t rest = 0;   // sums that are left of the row before it
    RowCounter current;  // and which row that is
    Cycle at = 0;        // when the next row is seen, or the end

    // The drain starts in cycle `now`.
    void begin(Cycle now, const DrainFields &command, unsigned own_positions) {
        source = command.source;
        slots = source == TASKS ? 1 : command.slots;
        positions = source == TASKS ? group->planner.decisions->rows.size() : own_positions;
        more = positions;
        rest = 0;
        at = now + (more ? FIRST : NOTHING);
    }
    bool valid(Cycle now) {
        while (!rest && at <= now) {
            if (!more) return true;
            current = rows;
            rest = holds();
            more = !rows.last(slots, positions);
            rows.advance(slots, positions);
            at += more;
        }
        return rest;
    }
    bool ended() const { return !rest; }
    Item take(Cycle now) {
        unsigned lane = __builtin_ctz(rest);
        rest &= rest - 1;
        at = now + 1;
        if (source != TASKS) return {uint16_t(current.column * engines + lane), uint16_t(current.position)};
        const Decisions &decisions = *group->planner.decisions;
        const TaskRow &record = decisions.rows[current.row];
        return {decisions.slots[current.row * engines + lane], lane > record.last0 ? record.second : record.first};
    }

private:
    uint32_t holds() const {
        uint32_t every = (uint32_t(1) << engines) - 1;
        const Decisions &decisions = *group->planner.decisions;
        if (source == FINISHED) return every & ~uint32_t(decisions.fired[current.row]);
        if (source == TASKS) return (uint32_t(2) << decisions.rows[current.row].last) - 1;
        return every;
    }
};

}  // namespace hwgen
