// From rows of sums to single sums on their way out (hwgen/rtl/group/drain_reader.py).
#pragma once
#include "fields.h"
#include "group.h"

namespace hwgen {

// A sum: which slot of the group and which position of the cluster.
struct Item {
    uint16_t slot, position;
};

// An item a cycle while they are taken, and one to say that it was the last; rows that have none go by on their own. With
// distant_drain two items wait at the door (hwgen/rtl/group/buffer.py), else one that is not taken waits where it is.
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
    Cycle at = 0;        // when the next row is seen, or the next item, or the end
    Cycle row_at = 0;    // when the next row is seen at the earliest
    bool end = false;    // all has gone to the door
    // At the door
    unsigned places = 2;
    Item waiting[2];
    unsigned count = 0;
    bool ends = false;  // with an item that says so
    Cycle free = 0;     // since when there is a place

    void build(const Config &c, const Group &own) {
        group = &own;
        engines = c.group;
        places = c.distant_drain ? 2 : 1;
    }
    // The drain starts in cycle `now`.
    void begin(Cycle now, const DrainFields &command, unsigned own_positions) {
        source = command.source;
        slots = source == TASKS ? 1 : command.slots;
        positions = source == TASKS ? group->planner.decisions->rows.size() : own_positions;
        more = positions;
        end = ends = false;
        rest = 0;
        at = row_at = now + (more ? FIRST + (source != ALL) : NOTHING);
    }
    bool valid(Cycle now) {
        const Cycle seen = now + (places == 1);
        while (!end && count < places && offers(seen)) {
            at = std::max(at, free);
            if (at >= seen) break;
            if (rest)
                waiting[count] = lowest();
            else
                end = ends = true;
            count++;
            at++;
        }
        return count;
    }
    bool ended() const { return ends && count == 1; }
    Item take(Cycle now) {
        const Item item = waiting[0];
        waiting[0] = waiting[1];
        if (count-- == places) free = now + 1;
        return item;
    }

private:
    // Whether there is an item, or the end, before cycle `now`; rows that have none go by.
    bool offers(Cycle now) {
        while (!rest && more) {
            at = std::max(at, row_at);
            if (at >= now) return false;
            current = rows;
            rest = holds();
            more = !rows.last(slots, positions);
            rows.advance(slots, positions);
            row_at = at + (source == ALL ? 1 : 2);  // what else a row holds is looked at first
        }
        return at < now;
    }
    Item lowest() {
        unsigned lane = __builtin_ctz(rest);
        rest &= rest - 1;
        if (source != TASKS) return {uint16_t(current.column * engines + lane), uint16_t(current.position)};
        const Decisions &decisions = *group->planner.decisions;
        const TaskRow &record = decisions.rows[current.row];
        return {decisions.slots[current.row * engines + lane], lane > record.last0 ? record.second : record.first};
    }
    uint32_t holds() const {
        uint32_t every = (uint32_t(1) << engines) - 1;
        const Decisions &decisions = *group->planner.decisions;
        if (source == FINISHED) return every & ~uint32_t(decisions.fired[current.row]);
        if (source == TASKS) return (uint32_t(2) << decisions.rows[current.row].last) - 1;
        return every;
    }
};

}  // namespace hwgen
