// The drain of a cluster (hwgen/rtl/drain/drain.py, lane.py, addresser.py).
#pragma once
#include "activations.h"
#include "cluster.h"
#include "drain_reader.h"

namespace hwgen {

struct DrainLane {
    static constexpr unsigned ROOM = 16, PLACED = 5, REQUANTIZED = 9;
    struct Place {
        uint32_t word, residual_word;
    };
    const Config *config = nullptr;
    const std::vector<uint16_t> *channels = nullptr;  // of the records
    unsigned cluster = 0, first = 0, count = 0;        // groups
    DrainFields command{};
    // Addresser
    unsigned serving = 0;
    bool taken = false;  // an item, in the cycle before
    Item item{};
    unsigned item_group = 0;
    static constexpr unsigned AHEAD = 8;    // more cycles than a place takes
    bool placed[AHEAD] = {};                // in which of the coming cycles a place arrives
    Place places_on_their_way[AHEAD] = {};  // and which
    RamFifo<Place> places;
    RamFifo<uint32_t> requests;
    // Requantizer
    uint32_t results_on_their_way = 0;  // a bit a cycle
    RamFifo<char> results;
    uint32_t targets[2 * ROOM] = {};
    unsigned target_write = 0, target_read = 0;
    unsigned in_front = 0, behind = 0;
    bool finished = false, done = false;

    void build(const Config &c, unsigned own_cluster, unsigned first_group, unsigned groups) {
        config = &c;
        cluster = own_cluster, first = first_group, count = groups;
        places.build(ROOM);
        requests.build(ROOM);
        results.build(ROOM);
    }
    bool open() const { return in_front != ROOM; }
    void offer(WritePort &write) const {
        *write.valid = results.valid;
        if (results.valid) write.address = targets[target_read % (2 * ROOM)];
    }

    // `start`: the command has come in the cycle before.
    void step(Cycle now, bool start, std::vector<DrainReader> &readers, WritePort &write, ReadPort &residuals, Counters &counters) {
        const bool needs = command.residual, room_behind = behind != ROOM, was_open = open();
        bool go = places.valid && room_behind && (residuals.valid() || !needs);
        bool written = results.valid && write.granted;
        done = finished && in_front == 0 && behind == 0;
        if (go && needs) residuals.take();
        const bool asks = requests.valid && residuals.ready();
        if (asks) residuals.ask(requests.out);

        // The item of the cycle before has a channel, or vanishes.
        bool has_channel = false;
        Place place{};
        if (taken) {
            unsigned slot = item_group * unsigned(command.slots) * config->group + item.slot;
            has_channel = slot < command.channels;
            if (has_channel) place = find(slot);
        }
        bool vanished = taken && !has_channel;
        const bool arrives = placed[now % AHEAD];
        const Place arrived = places_on_their_way[now % AHEAD];
        placed[now % AHEAD] = false;
        requests.step(asks, arrives && needs, arrived.residual_word);
        if (go) targets[target_write++ % (2 * ROOM)] = places.out.word;
        places.step(go, arrives, arrived);
        if (has_channel) {
            placed[(now + PLACED - 1) % AHEAD] = true;
            places_on_their_way[(now + PLACED - 1) % AHEAD] = place;
        }

        target_read += written;
        results.step(written, results_on_their_way >> (REQUANTIZED - 1) & 1, 0);
        results_on_their_way = results_on_their_way << 1 | go;
        bool ended = serve(start, was_open, readers);
        counters.sums_drained += go;
        in_front += taken - vanished - go;
        behind += go - written;
        finished = (finished && !done) || ended;
    }

private:
    // The items of the groups, one group after the other; true: the last has been taken.
    bool serve(bool start, bool was_open, std::vector<DrainReader> &readers) {
        taken = false;
        bool ended = false;
        if (serving < count && !start) {
            DrainReader &reader = readers[first + serving];
            if (was_open && reader.valid()) {
                bool last = reader.ended();
                taken = !last;
                item_group = first + serving;
                if (taken) item = reader.item();
                ended = last && serving == count - 1;
                serving += last;
            }
        }
        if (start) serving = 0;
        return ended;
    }

    Place find(unsigned slot) const {
        unsigned mask = config->clusters * config->activation_words - 1;
        unsigned channel = (*channels)[command.parameters + slot];
        unsigned turns = command.diagonal ? (item.position << 1) >> command.diagonal : 0;
        unsigned raster = item.position * config->clusters + ((cluster - turns) & (config->clusters - 1));
        uint32_t offset = raster + channel / config->lanes * uint32_t(command.output_plane_stride);
        return {uint32_t(command.output + offset) & mask, uint32_t(command.residual_input + offset) & mask};
    }
};

struct Drain {
    const Config *config = nullptr;
    Cluster *cluster = nullptr;
    DrainFields command{};
    bool busy = false, start = false;
    std::vector<char> asked, open;
    unsigned own_positions = 0;
    std::vector<DrainReader> readers;
    std::vector<DrainLane> lanes;

    void build(const Config &c, Cluster &own, const std::vector<uint16_t> &channels) {
        config = &c;
        cluster = &own;
        asked.assign(c.groups, 0);
        open.assign(c.drain_lanes, 0);
        readers.resize(c.groups);
        for (int j = 0; j < c.groups; j++) readers[j].engines = c.group, readers[j].group = &own.groups[j];
        lanes.resize(c.drain_lanes);
        for (int n = 0; n < c.drain_lanes; n++) {
            int from = n * c.groups / c.drain_lanes, to = (n + 1) * c.groups / c.drain_lanes;
            lanes[n].build(c, own.number, from, to - from);
            lanes[n].channels = &channels;
        }
    }
    bool ready() const { return !busy; }
    bool done() const {
        if (!busy || start) return false;
        for (char lane : open)
            if (lane) return false;
        return true;
    }

    // True: it may do something in the next cycle.
    bool step(Cycle now, const DrainFields *comes, WritePort *writes, ReadPort *residuals, Counters &counters) {
        if (!busy && !comes) return false;
        bool ends = done(), starts = start;
        uint32_t commanded = 0, items_ready = 0;
        for (unsigned j = 0; j < readers.size(); j++) {
            const bool ready = readers[j].ready();
            commanded |= uint32_t(asked[j] && ready) << j;
            if (starts)
                asked[j] = 1;
            else if (ready)
                asked[j] = 0;
        }
        for (const DrainLane &lane : lanes)
            if (lane.open() && lane.serving < lane.count) items_ready |= uint32_t(1) << (lane.first + lane.serving);
        for (unsigned n = 0; n < lanes.size(); n++) {
            lanes[n].step(now, starts, readers, writes[n], residuals[n], counters);
            if (starts)
                open[n] = 1;
            else if (lanes[n].done)
                open[n] = 0;
        }
        for (unsigned j = 0; j < readers.size(); j++)
            readers[j].step(items_ready >> j & 1, commanded >> j & 1 ? &command : nullptr, own_positions);
        start = comes;
        if (comes) {
            command = *comes;
            own_positions = cluster->positions(command.positions);
            for (DrainLane &lane : lanes) lane.command = command;
            busy = true;
        }
        if (ends) busy = false;
        for (unsigned n = 0; n < lanes.size(); n++) lanes[n].offer(writes[n]);
        return busy;
    }
};

}  // namespace hwgen
