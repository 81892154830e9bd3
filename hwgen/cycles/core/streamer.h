// The source of a chain (hwgen/rtl/streamer.py, geometry.py, walker.py, locator.py, vector_fetch.py, task_index.py,
// task_reader.py).
#pragma once
#include "activations.h"
#include "fields.h"
#include "group.h"

namespace hwgen {

// Where a position's window begins, not counting padding.
struct Place {
    int32_t x, y, offset;
};

struct Entry {
    Place place;
    uint32_t want;
};

struct Located {
    bool inside;
    uint32_t want;
    Reading reading;
};

// Joins the decisions of the groups to a list of the positions that have tasks.
struct TaskIndex {
    std::vector<RamFifo<bool>> decisions;
    std::vector<Entry> entries;
    unsigned left = 0, count = 0, walked = 0;
    const std::vector<Place> *places = nullptr;

    bool complete() const { return left == 0; }
    // True: it may do something in the next cycle.
    bool step(Cycle now, std::vector<Group> &groups) {
        bool joined = left != 0, busy = false;
        uint32_t want = 0;
        for (unsigned j = 0; j < groups.size(); j++) {
            joined &= decisions[j].valid;
            want |= uint32_t(decisions[j].out) << j;
        }
        for (unsigned j = 0; j < groups.size(); j++) {
            bool decided = groups[j].decided.due(now);
            decisions[j].step(joined, decided, decided && groups[j].decided.take());
            busy |= decisions[j].busy();
        }
        if (joined) {
            if (want) entries[count++] = {(*places)[walked], want};
            walked++, left--;
        }
        return busy || joined;
    }
    // The next decision.
    Cycle next(const std::vector<Group> &groups) const {
        Cycle first = NEVER;
        for (const Group &group : groups) first = std::min(first, group.decided.next());
        return first;
    }
};

// Goes through the list again and again, also while it still grows.
struct TaskReader {
    bool valid = false, some = false, last = false;
    Entry entry{};
    unsigned following = 0;

    template <class Archive>
    void archive(Archive &a, const TaskIndex &tasks) {
        a.value(valid), a.value(following);
        if (!valid) return;
        a.value(some), a.value(last);
        if (Archive::RESTORES && some) entry = tasks.entries[following ? following - 1 : tasks.count - 1];
    }

    // True: something has changed.
    bool step(bool enable, bool taken, const TaskIndex &tasks) {
        if (!enable) {
            bool changes = valid || following;
            valid = false;
            following = 0;
            return changes;
        }
        const bool was_valid = valid;
        if (!valid || taken) {
            valid = following != tasks.count || tasks.complete();
            some = following != tasks.count;
            if (some) {
                entry = tasks.entries[following];
                last = tasks.complete() && following + 1 == tasks.count;
                following = last ? 0 : following + 1;
            } else if (tasks.complete()) {
                last = true;
                following = 0;
            }
        }
        return valid != was_valid || taken;
    }
};

struct Streamer {
    static constexpr Cycle PREPARES = 1, STRIDE_BITS = 3, STEP_BITS = 5;

    const Config *config = nullptr;
    unsigned cluster = 0, words = 0;
    // Geometry: the next pass, and when it is prepared
    bool preparing = false;
    Cycle prepared_at = 0;
    Pass next{};
    // The pass being walked
    Pass job{};
    std::vector<Place> places, gate_places;
    bool begin = false, running = false;
    unsigned left = 0, position = 0;
    int64_t column = 0, row = 0, plane = 0;  // of the chunk
    uint64_t chunk = 0;
    // Locator, and who waits in front of it
    bool ahead = false, found = false, located = false;
    Located vector_ahead{}, found_vector{}, located_vector{};
    // Skid
    bool aside = false;
    Located vector_aside{};
    // Fetch
    struct Ticket {
        bool inside;
        uint32_t want;
    };
    static constexpr unsigned ROOM = 16;
    RamFifo<Ticket> order;
    StreamBuffer<char> answers;
    StreamBuffer<uint32_t> vectors;  // what each is wanted by
    TaskIndex tasks;
    TaskReader reader;
    Cycle next_step = 0;  // the next cycle that must be stepped

    void build(const Config &c, unsigned number) {
        config = &c;
        cluster = number;
        words = c.clusters * c.activation_words;
        order.build(ROOM);
        tasks.decisions.resize(c.groups);
        for (auto &decisions : tasks.decisions) decisions.build(c.rows);
        tasks.entries.resize(c.rows + 1);
        tasks.places = &gate_places;
    }
    bool ready() const { return !preparing; }
    void poke(Cycle when) { next_step = std::min(next_step, when); }

    // `taken`: the chain takes the vector of this cycle.
    void step(Cycle now, const Pass *command, bool taken, ReadPort &port, std::vector<Group> &groups, Counters &counters) {
        // 1: vectors that were asked for.
        const bool request_ready = port.ready(), order_ready = !order.full();
        counters.vectors += vectors.valid && taken;
        const bool there = vectors.ready() && order.valid && (answers.valid || !order.out.inside);
        const bool comes = port.valid() && answers.ready();
        bool changes = (vectors.valid && taken) || there || comes || (order.level && !order.valid);
        if (comes) port.take();
        answers.step(there && order.out.inside, comes, 0);
        vectors.step(vectors.valid && taken, there, order.out.want);
        // 2: vectors to ask for.
        const Located &due = aside ? vector_aside : located_vector;
        const bool asked = (aside || located) && order_ready && (request_ready || !due.inside);
        if (asked && due.inside) port.ask(due.reading.address, due.reading.chunk);
        order.step(there, asked, {due.inside, due.want});
        const bool leaves = !located || !aside, locator_ready = !found || leaves, walks = !ahead;
        changes |= asked || (leaves && (located || found));
        if (!aside) vector_aside = located_vector;
        aside = (aside || located) && !asked;
        if (leaves) {
            located = found;
            located_vector = found_vector;
        }
        // 3: positions to find.
        changes |= ahead && locator_ready;
        const bool ends = walk(locator_ready, changes);
        // 4: passes to prepare.
        const bool settled = !config->gated || tasks.complete() || next.fields.conditional;
        const bool begins = preparing && now >= prepared_at && !begin && !running && walks && settled;
        const bool restart = begin && job.fields.gate;
        changes |= begin || begins || ends;
        if (config->gated) {
            changes |= reader.step(reader_enabled, reader_taken, tasks);
            if (!tasks.complete()) changes |= tasks.step(now, groups);
            if (restart) {
                tasks.left = job.positions, tasks.count = tasks.walked = 0;
                gate_places = places;
            }
        }
        if (begin) {
            running = true;
            left = job.positions;
            position = 0;
            plane = row = column = 0;
        } else if (ends) {
            running = false;
        }
        begin = begins && next.positions;
        if (begins) {
            job = next;
            chunk = job.first;
            preparing = false;
            locate();
        }
        if (command) {
            next = *command;
            preparing = true;
            prepared_at = now + PREPARES + 1 + STRIDE_BITS + std::max<Cycle>(STEP_BITS, cluster);
        }
        next_step = now + 1;
        if (changes) return;
        next_step = preparing && now < prepared_at ? prepared_at : NEVER;
    }

    // The list of tasks is complete.
    bool archivable() const { return tasks.complete() && !(begin && job.fields.gate); }
    // The last chunk that it knows of.
    uint64_t sees() const { return preparing && !running ? std::max(chunk, next.first) : chunk; }
    // `own(pass)`: as the cluster sees it.
    template <class Archive, class Own>
    void archive(Archive &a, Own &&own) {
        a.value(begin), a.value(running), a.value(preparing);
        if (begin || running) a.chunk(chunk);
        const bool walks = begin || running;
        uint64_t first = next.first;
        if (preparing) a.time(prepared_at);
        if (preparing && !walks) a.chunk(first);
        if (Archive::RESTORES && preparing)
            next = own(walks ? a.chunks.following(a.chunks.part(chunk)).pass : a.chunks.part(first).pass);
        if (Archive::RESTORES && walks) {
            const Chunks::Part &part = a.chunks.part(chunk);
            if (job.first != part.pass.first) job = own(part.pass), locate();
            const int64_t index = int64_t(chunk - job.first), taps = job.fields.kernel_rows * job.fields.kernel_columns;
            plane = index / taps, row = index % taps / job.fields.kernel_columns, column = index % job.fields.kernel_columns;
        }
        if (running) a.value(left), a.value(position);
        const auto vector = [&](bool &there, Located &one) {
            a.value(there);
            if (!there) return;
            a.value(one.inside), a.value(one.want);
            if (one.inside) a.reading(one.reading);
        };
        vector(ahead, vector_ahead), vector(found, found_vector), vector(located, located_vector);
        vector(aside, vector_aside);
        order.archive(a, [&](Ticket &ticket) { a.value(ticket.inside), a.value(ticket.want); });
        answers.archive(a, [](char) {});
        vectors.archive(a, [&](uint32_t &want) { a.value(want); });
        if (config->gated) reader.archive(a, tasks);
        a.time(next_step);
    }

private:
    bool reader_enabled = false, reader_taken = false;

    // Moves on by a position if none waits in front of the locator; true: the pass ends with it.
    bool walk(bool locator_ready, bool &changes) {
        const bool waits = ahead;
        bool conditional = job.fields.conditional;
        bool offers = running && (!conditional || (reader.valid && reader.some));
        bool moves = running && !waits, last = left == 1;
        if (conditional) {
            reader_taken = running && reader.valid && (!waits || !reader.some);
            moves = reader_taken;
            last = reader.last;
        }
        reader_enabled = running && conditional;
        changes |= moves;
        if (!waits && offers) vector_ahead = conditional ? find(reader.entry) : find({places[position], all()});
        ahead = waits || offers;
        if (locator_ready) {
            found = ahead;
            if (found) found_vector = vector_ahead;
            ahead = false;
        }
        if (!moves) return false;
        left--, position++;
        if (!last) return false;
        left = job.positions, position = 0;
        return next_chunk();
    }

    uint32_t all() const { return (uint32_t(1) << config->groups) - 1; }

    Located find(const Entry &entry) const {
        const PassFields &f = job.fields;
        int64_t x = entry.place.x + column - f.pad_left, y = entry.place.y + row - f.pad_top;
        bool inside = x >= 0 && x < f.in_columns && y >= 0 && y < f.in_rows;
        int64_t address = f.input + plane * f.input_plane_stride + (row - f.pad_top) * f.in_columns + column - f.pad_left;
        return {inside, entry.want, {uint32_t((entry.place.offset + address) & (words - 1)), uint32_t(chunk)}};
    }

    bool next_chunk() {
        chunk++;
        if (++column < job.fields.kernel_columns) return false;
        column = 0;
        if (++row < job.fields.kernel_rows) return false;
        row = 0;
        return ++plane == job.fields.planes;
    }

    // The places of all positions of the pass.
    void locate() {
        const PassFields &f = job.fields;
        places.resize(job.positions);
        for (unsigned n = 0; n < job.positions; n++) {
            unsigned turns = f.diagonal ? n >> (f.diagonal - 1) : 0;
            unsigned position = n * config->clusters + ((cluster - turns) & (config->clusters - 1));
            int32_t x = position % f.width * f.stride, y = position / f.width * f.stride;
            places[n] = {x, int32_t(f.images ? y % f.in_rows : y), int32_t(y * f.in_columns + x)};
        }
    }
};

}  // namespace hwgen
