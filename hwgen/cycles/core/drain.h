// The drain of a cluster (hwgen/rtl/drain/drain.py, lane.py, addresser.py).
#pragma once
#include "activations.h"
#include "cluster.h"
#include "drain_reader.h"

namespace hwgen {

struct DrainLane {
    static constexpr unsigned ROOM = 16, IN_FRONT = ROOM + 1;
    static constexpr unsigned MOST = 4 * ROOM;  // more items than there are at a time
    static constexpr Cycle PLACED = 8, REQUANTIZED = 12;  // until an item may go on to its requantizer, to the buffer
    struct Place {
        uint32_t word, residual_word;
        Cycle ready;  // the first cycle in which it may go on
    };
    const Config *config = nullptr;
    const std::vector<uint16_t> *channels = nullptr;  // of the records
    unsigned cluster = 0, first = 0, count = 0;        // groups
    unsigned lane_bits = 0;
    DrainFields command{};
    unsigned serving = 0;
    bool vanishes = false;  // the item that was taken in the cycle before: it has no channel
    // The others, in their order: how many were taken, their residual asked for, went on, left for the buffer.
    Place items[MOST] = {};
    unsigned taken = 0, asked = 0, gone = 0, left = 0;
    StreamBuffer<char> added;        // the residuals
    StreamBuffer<uint32_t> written;  // words on their way to their banks
    unsigned in_front = 0;  // of the requantizer
    bool finished = false, done = false;

    void build(const Config &c, unsigned own_cluster, unsigned first_group, unsigned groups) {
        config = &c;
        cluster = own_cluster, first = first_group, count = groups;
        lane_bits = ceil_log2(c.lanes);
    }

    // `start`: the command has come in the cycle before.
    void step(Cycle now, bool start, std::vector<DrainReader> &readers, WritePort &write, ReadPort &residuals, Counters &counters) {
        if (start) serving = 0, asked = taken;
        const bool needs = command.residual, open = in_front != IN_FRONT;
        const unsigned behind = gone - left;
        done = finished && in_front == 0 && behind == 0 && !written.valid;
        const bool goes = gone != taken && items[gone % MOST].ready <= now && behind != ROOM && (!needs || added.valid);
        const Place &result = items[left % MOST];
        const bool leaves = left != gone && result.ready <= now && written.ready();
        written.step(written.valid && write.granted, leaves, result.word);
        left += leaves;
        if (needs) {
            const bool comes = residuals.valid() && added.ready();
            if (comes) residuals.take();
            added.step(goes, comes, 0);
            if (asked != taken && items[asked % MOST].ready <= now && residuals.ready())
                residuals.ask(items[asked++ % MOST].residual_word);
        }
        in_front -= vanishes + goes;
        if (goes) items[gone++ % MOST].ready = now + REQUANTIZED, counters.sums_drained++;
        vanishes = false;
        finished = finished && !done;
        if (!start && open && serving < count) finished |= serve(now, readers[first + serving]);
        write.offer(written.valid, written.out);
    }

private:
    // The items of the groups, one group after the other; true: the last has been taken.
    bool serve(Cycle now, DrainReader &reader) {
        if (!reader.valid(now)) return false;
        const bool ended = reader.ended();
        const Item item = reader.take(now);
        if (ended) return ++serving == count;
        const unsigned slot = (first + serving) * unsigned(command.slots) * config->group + item.slot;
        in_front++;
        vanishes = slot >= command.channels;
        if (!vanishes) items[taken++ % MOST] = find(now, item.position, slot);
        return false;
    }

    Place find(Cycle now, unsigned position, unsigned slot) const {
        unsigned mask = config->clusters * config->activation_words - 1;
        unsigned channel = (*channels)[command.parameters + slot];
        unsigned turns = command.diagonal ? (position << 1) >> command.diagonal : 0;
        unsigned raster = position * config->clusters + ((cluster - turns) & (config->clusters - 1));
        uint32_t offset = raster + (channel >> lane_bits) * uint32_t(command.output_plane_stride);
        return {uint32_t(command.output + offset) & mask, uint32_t(command.residual_input + offset) & mask, now + PLACED};
    }
};

struct Drain {
    const Config *config = nullptr;
    Cluster *cluster = nullptr;
    DrainFields command{};
    bool busy = false, start = false;  // a command came in the cycle before
    uint32_t open = 0;                 // lanes that are not done: a bit for each
    std::vector<DrainReader> readers;
    std::vector<DrainLane> lanes;

    void build(const Config &c, Cluster &own, const std::vector<uint16_t> &channels) {
        config = &c;
        cluster = &own;
        readers.resize(c.groups);
        for (int j = 0; j < c.groups; j++) readers[j].build(c, own.groups[j]);
        lanes.resize(c.drain_lanes);
        for (int n = 0; n < c.drain_lanes; n++) {
            int from = n * c.groups / c.drain_lanes, to = (n + 1) * c.groups / c.drain_lanes;
            lanes[n].build(c, own.number, from, to - from);
            lanes[n].channels = &channels;
        }
    }
    bool ready() const { return !busy; }
    bool done() const { return busy && !start && !open; }

    // True: it may do something in the next cycle.
    bool step(Cycle now, const DrainFields *comes, WritePort *writes, ReadPort *residuals, Counters &counters) {
        if (!busy && !comes) return false;
        const bool ends = done();
        for (unsigned n = 0; n < lanes.size(); n++) {
            lanes[n].step(now, start, readers, writes[n], residuals[n], counters);
            if (lanes[n].done) open &= ~(uint32_t(1) << n);
        }
        if (start) {
            open = (uint32_t(1) << lanes.size()) - 1;
            for (DrainReader &reader : readers) reader.begin(now, command, cluster->positions(command.positions));
        }
        start = comes;
        if (comes) {
            command = *comes;
            for (DrainLane &lane : lanes) lane.command = command;
            busy = true;
        }
        if (ends) busy = false;
        return busy;
    }
};

}  // namespace hwgen
