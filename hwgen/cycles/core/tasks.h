// What a gate makes of its decisions: rows of tasks, and positions that have some (hwgen/rtl/group/packer.py,
// position_list.py). All of it follows from the decisions; only when it is done is a matter of time.
#pragma once
#include <cstdint>
#include <vector>

namespace hwgen {

struct TaskRow {
    uint8_t last, last0, pops;  // see task_record in hwgen/rtl/group/layouts.py
    uint16_t first, second;     // positions
    bool straddles() const { return last0 < last; }
};

// Decisions of a group for a tile: D bits for each row of sums, in raster order.
struct Decisions {
    std::vector<uint16_t> fired;
    std::vector<TaskRow> rows;
    std::vector<uint16_t> slots;  // D for each task row
    uint64_t tasks = 0;
};

struct TaskPacker {
    unsigned engines;
    Decisions &result;
    unsigned staged = 0, last0 = 0;
    bool two = false, same = false;
    std::vector<uint16_t> slots{}, positions{};  // of the tasks of the open row

    void pack(unsigned columns) {
        result.rows.clear();
        result.slots.clear();
        result.tasks = 0;
        for (unsigned row = 0; row < result.fired.size(); row++) {
            unsigned column = row % columns, count = __builtin_popcount(result.fired[row]);
            if (count) add(row / columns, column, result.fired[row], count);
            if (column + 1 == columns) same = false;
        }
        if (staged) close(staged - 1, two ? last0 : engines - 1, two ? 2 : 1, staged);
    }

private:
    void add(unsigned position, unsigned column, unsigned fired, unsigned count) {
        bool other = !same && staged, third = other && two, second = other && !two && staged != engines;
        unsigned total = staged + count;
        unsigned boundary = two ? last0 : second ? staged - 1 : engines - 1;
        for (unsigned lane = 0; lane < engines; lane++)
            if (fired >> lane & 1) slots.push_back(column * engines + lane), positions.push_back(position);
        result.tasks += count;
        if (third) {
            close(staged - 1, boundary, 2, staged);
            staged = count;
            two = false;
        } else if (total > engines) {
            close(engines - 1, boundary, two || other, engines);
            staged = total - engines;
            two = false;
        } else {
            staged = total;
            two |= second;
            last0 = boundary;
        }
        same = true;
    }

    void close(unsigned last, unsigned last0, unsigned pops, unsigned count) {
        result.rows.push_back({uint8_t(last), uint8_t(last0), uint8_t(pops), positions[0], positions[count - 1]});
        for (unsigned lane = 0; lane < engines; lane++) result.slots.push_back(lane < count ? slots[lane] : 0);
        slots.erase(slots.begin(), slots.begin() + count);
        positions.erase(positions.begin(), positions.begin() + count);
    }
};

}  // namespace hwgen
