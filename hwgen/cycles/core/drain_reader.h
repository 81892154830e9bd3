// From rows of sums to single sums on their way out (hwgen/rtl/group/drain_reader.py).
#pragma once
#include "fields.h"
#include "group.h"

namespace hwgen {

// A sum: which slot of the group and which position of the cluster.
struct Item {
    uint16_t slot, position;
};

struct DrainReader {
    enum { ALL, FINISHED, TASKS };
    unsigned engines = 0;
    const Group *group = nullptr;
    int64_t source = 0;
    unsigned slots = 1, positions = 0;  // of what is walked: a task row counts as a position with one row
    bool running = false, fetching = false, fetched = false, fresh = false;
    uint32_t rest = 0;
    RowCounter rows;
    RowCounter ahead, current;  // the row that was read, the row whose sums leave

    bool ready() const { return !running; }
    bool some() const { return positions; }
    uint32_t left() const { return fresh ? holds() : rest; }
    bool ended() const { return running && !fetching && !fetched && !left(); }
    bool valid() const { return left() || ended(); }
    Item item() const {
        unsigned lane = __builtin_ctz(left());
        if (source != TASKS) return {uint16_t(current.column * engines + lane), uint16_t(current.position)};
        const Decisions &decisions = *group->planner.decisions;
        const TaskRow &record = decisions.rows[current.row];
        return {decisions.slots[current.row * engines + lane], lane > record.last0 ? record.second : record.first};
    }

    // `taken`: the item of this cycle is; `command`: comes in this cycle.
    void step(bool items_ready, const DrainFields *command, unsigned own_positions) {
        if (!running && !command) return;
        uint32_t now_left = left(), others = now_left & (now_left - 1);
        bool ends = ended();
        bool gone = !others && (items_ready || !now_left);
        bool take = fetched && gone, reads = fetching && some() && (!fetched || take);
        bool last = rows.last(slots, positions);
        rest = items_ready ? others : now_left;
        fresh = take;
        if (take) current = ahead;
        if (reads) {
            ahead = rows;
            fetched = true;
            rows.advance(slots, positions);
        } else if (take) {
            fetched = false;
        }
        if (fetching && ((reads && last) || !some())) fetching = false;
        if (ends && items_ready) running = false;
        if (command) {
            source = command->source;
            slots = source == TASKS ? 1 : command->slots;
            positions = source == TASKS ? group->planner.decisions->rows.size() : own_positions;
            running = fetching = true;
        }
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
