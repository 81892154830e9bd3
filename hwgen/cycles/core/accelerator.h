// The whole, cycle by cycle (hwgen/accelerator.py).
#pragma once
#include "drain.h"
#include "load.h"
#include "program.h"
#include "replay.h"
#include "sequential.h"
#include "store.h"
#include "vector_unit.h"

namespace hwgen {

struct Accelerator {
    static constexpr unsigned BASES = 8;
    static constexpr Cycle PAUSE = 1000;  // between programs: longer than anything in the hardware remembers
    Config config;
    Counters counters;
    ProgramRunner runner;
    MemoryPort port;
    LoadUnit load;
    StoreUnit store;
    ActivationBuffer activations;
    Array array;
    Replay replay;
    std::vector<Drain> drains;
    VectorUnit vector;
    Fork drain_fork;
    StrobeJoin drain_join;
    Sequential sequential;  // instead of all of them
    std::vector<Delayed<char>> drained;  // by each cluster
    uint64_t bases[BASES] = {};
    const uint8_t *constants = nullptr;  // behind base register 0
    uint64_t constants_size = 0;
    std::vector<uint16_t> channels;  // of the records in the parameter memory
    Cycle now = 0, began = 0;
    Cycle replayed = 0;  // cycles of the array that were not simulated
    bool skips = true;  // cycles in which nothing happens are left out

    void build() {
        if (config.sequential) return sequential.build(config);
        port.build(config);
        load.build(config);
        store.build(config);
        activations.build(config, 1 + config.clusters * (1 + config.drain_lanes) + config.pool,
                          1 + config.clusters * config.drain_lanes + config.pool);
        array.build(config, skips);
        beside_array = ~array.port_set;
        channels.assign(config.parameter_words, 0);
        drains.resize(config.clusters);
        drained.resize(config.clusters);
        for (int g = 0; g < config.clusters; g++) drains[g].build(config, array.clusters[g], channels);
        if (config.pool) vector.build(config);
        drain_fork.build(config.clusters);
    }

    // Another program. What the hardware keeps from one to the next stays: whose turn it is everywhere.
    void begin(std::vector<Instruction> program, uint64_t address) {
        if (config.sequential) return sequential.begin(std::move(program), bases, sequential.now + PAUSE);
        runner = ProgramRunner();
        runner.program = std::move(program);
        runner.fetch.address = address;
        runner.build(config);
        counters = Counters();
        port.memory.credit = Memory::RESTED;
        now += PAUSE;
        array.begin(now);
        replayed = 0;
        for (const Instruction &instruction : runner.program)
            if (instruction.unit == ARRAY) {
                PassFields fields;
                read_fields(fields, instruction.fields);
                array.chunks.add(fields);
            }
        replay.disturb();
        port_next = now;
        began = now;
    }

    // False: the program has not ended within `limit` cycles; with a higher limit it goes on.
    bool run(Cycle limit) {
        if (config.sequential) return sequential.run(limit);
        if (skips && now == began) replay.name(array);
        while (!runner.ended && now - began < limit) {
            if (!skips || !array.feeder.arrivals.due(now) || !replay_from_here(limit)) step();
            now = skips ? next() : now + 1;
        }
        return runner.ended;
    }
    Counters counted() const {
        if (config.sequential) return sequential.counted();
        Counters all = counters;
        all.add(array.counters);
        all.cycles = now - began;
        return all;
    }

    void step() {
        if (port_next <= now || !skips) port.memory.offer(now);
        const bool buffer = activations_next <= now || activations.writing.any() || !skips;
        if (buffer) activations.arbitrate_writes(counters), activations.arbitrate_reads(activations.readers, array.counters);
        step_array();
        step_drains();
        step_vector();
        step_copies();
        step_activations(buffer);
        if (runner_poked || runner.next <= now || port.beat_valid(0) || !skips) runner.step(now, port, counters);
        runner_poked = false;
        step_port();
        if (skips) remember();
    }

private:
    Cycle port_next = 0, activations_next = 0, drains_next = 0, vector_next = 0, copies_next = 0;
    PortSet beside_array;       // read ports of the others
    bool pass_offered = false;  // to the array, in the cycle before
    bool runner_poked = false;  // a unit has taken or ended an instruction in this cycle

    bool others_read() const { return (activations.awake & beside_array).any(); }
    // Others read activations, or words that are read are written.
    bool others_disturb_array() const { return activations.held() || others_read(); }

    // What the array and the others have told each other in this cycle.
    void remember() {
        const bool changed = offered_pass() != pass_offered;
        pass_offered = offered_pass();
        if (others_disturb_array()) replay.disturb();
        if (const unsigned what = array.accepted * Replay::ACCEPTED | array.done * Replay::DONE | changed * Replay::OFFERED)
            replay.happens(now, uint8_t(what));
    }

    // A chunk of weights arrives in this cycle, and the array may know what it will do then: the others go on alone for so
    // long as that lasts and they do not disturb it. True: cycle `now` is done, else all go on together with it.
    bool replay_from_here(Cycle limit) {
        if (array.trims() || !array.archivable() || others_disturb_array() || writes_meet_reads(array.from(), array.taken)) {
            replay.disturb();
            return false;
        }
        Replay::State *state = replay.arrive(now, pass_offered, array, activations);
        Cycle at = now;  // where the array is
        uint64_t base = array.from();
        std::vector<uint32_t> served(config.activation_banks);
        const Replay::Segment *segment = nullptr;
        bool undisturbed = true;
        while (undisturbed) {
            segment = replay.find(*state, base, array.chunks);
            if (!segment || at + segment->cycles - began >= limit) break;
            undisturbed = step_others(*segment, at, base);
            if (!undisturbed) break;
            at += segment->cycles;
            replayed += segment->cycles;
            base += segment->chunks;
            array.taken += segment->accepted();
            for (const auto &[counter, count] : segment->counts) array.counters.begin()[counter] += count;
            for (unsigned b = 0; b < served.size(); b++) served[b] |= segment->served[b];
            state = segment->to;
        }
        if (at != replay.since) replay.restore(*state, at, base, served, array, activations);
        if (!undisturbed)
            catch_up(at, *segment);
        else if (at != replay.since)
            replay.leave(state, at, base, array, activations), activations_next = now;
        return !undisturbed;
    }

    // All but the array, up to the end of a segment that begins in cycle `at` with chunk `base`. False: cycle `now` is the
    // last one that the array does not notice.
    bool step_others(const Replay::Segment &segment, Cycle at, uint64_t base) {
        const Cycle end = at + segment.cycles;
        const unsigned taken = array.taken + segment.accepted();
        const auto *event = segment.events.data(), *last = event + segment.events.size();
        bool offered = pass_offered;
        while (now < end) {
            const unsigned what = event != last && at + event->when == now ? event++->what : 0;
            if (port_next <= now) port.memory.offer(now);
            if (activations.writing.any()) activations.arbitrate_writes(counters);
            UnitQueue &queue = runner.queues[ARRAY];
            queue.accepted = what & Replay::ACCEPTED, queue.done = what & Replay::DONE;
            runner_poked |= queue.accepted || queue.done;
            step_drains();
            step_vector();
            step_copies();
            activations_next = activations.step_writes() ? now + 1 : NEVER;
            const bool controls = runner_poked || runner.next <= now || port.beat_valid(0);
            if (controls) runner.step(now, port, counters);
            runner_poked = false;
            step_port();
            offered ^= (what & Replay::OFFERED) != 0;
            if (offered_pass() != offered || others_read() ||
                (controls && writes_meet_reads(base, taken)))
                return false;
            Cycle next = std::min({runner.next, port_next, activations_next, drains_next, vector_next, copies_next});
            if (event != last) next = std::min(next, at + event->when);
            now = std::min(std::max(next, now + 1), end);
        }
        pass_offered = offered;
        return true;
    }

    // The array from cycle `at`, where `segment` begins, through cycle `now`, which the others have done.
    void catch_up(Cycle at, const Replay::Segment &segment) {
        replay.disturb();
        const Cycle start = at;
        auto event = segment.events.begin();
        bool offered = pass_offered;
        while (at <= now) {
            for (; event != segment.events.end() && start + event->when < at; event++)
                offered ^= (event->what & Replay::OFFERED) != 0;
            activations.arbitrate_reads(array.port_set, array.counters);
            array.step(at, offered, activations);
            const bool reads = at == now ? activations.step_reads(activations.readers) : activations.step_reads(array.port_set);
            array.poke(at + 1, activations);
            Cycle next = reads ? at + 1 : std::max(array.next(), at + 1);
            if (event != segment.events.end()) next = std::min(next, start + event->when + 1);
            at = at < now ? std::min(next, now) : next;
        }
        pass_offered = offered_pass();
        activations_next = now;
    }

    // Words that passes read may be those that a unit writes: of chunk `first` and later, when so many passes are `taken`.
    bool writes_meet_reads(uint64_t first, unsigned taken) {
        const uint32_t mask = array.chunks.mask();
        const unsigned last = std::min<unsigned>(taken + 1, array.chunks.passes.size());
        const auto meet = [&](unsigned instruction) {
            const Words written = words_of(runner.program[instruction]);
            for (unsigned n = array.chunks.part_number(first); n < last; n++)
                if (written.meet(array.chunks.read(n), mask)) return true;
            return false;
        };
        for (const Unit unit : {LOAD, DRAIN, VECTOR}) {
            const UnitQueue &queue = runner.queues[unit];
            const int offered = runner.offer(unit);
            if (offered >= 0 && meet(offered)) return true;
            if (!queue.under_way.empty() && meet(queue.under_way.first())) return true;
        }
        return false;
    }
    // What an instruction writes.
    Words words_of(const Instruction &instruction) const {
        if (instruction.unit == LOAD) {
            LoadFields f;
            read_fields(f, instruction.fields);
            if (f.target != LoadUnit::ACTIVATIONS) return {};
            return {f.buffer, (f.planes - 1) * f.buffer_plane_stride + (f.rows - 1) * f.buffer_row_stride + f.words};
        }
        if (instruction.unit == VECTOR) {
            VectorFields f;
            read_fields(f, instruction.fields);
            return {f.output, f.planes * f.out_rows * f.out_columns};
        }
        DrainFields f;
        read_fields(f, instruction.fields);
        int64_t plane = 0;
        for (int64_t n = f.parameters; n < f.parameters + f.channels; n++)
            plane = std::max<int64_t>(plane, channels[n & (config.parameter_words - 1)] / config.lanes);
        return {f.output, plane * f.output_plane_stride + f.positions};
    }

    // The next cycle in which anything may happen.
    Cycle next() {
        if (runner.ended) return now + 1;
        Cycle first = std::min({runner.next, port_next, activations_next, drains_next, vector_next, copies_next});
        return std::max(std::min(first, array.next()), now + 1);
    }

    template <class Fields>
    const Fields *offered(Unit unit, Fields &fields) {
        const int number = runner.offer(unit);
        if (number < 0) return nullptr;
        read_fields(fields, runner.program[number].fields);
        return &fields;
    }

    void step_activations(bool buffer) {
        if (!buffer && !activations.awake.any()) return;
        activations_next = activations.step() ? now + 1 : NEVER;
        array.poke(now + 1, activations);
    }

    void step_port() {
        if (!port.busy() && skips) {
            port_next = NEVER;
            return;
        }
        if (port_next > now && skips) {  // the splitters alone: nothing was offered by the memory
            bool asked = false;
            for (const BurstSplitter &splitter : port.splitters) asked |= splitter.asked;
            if (!asked) return;
            port.memory.offer(now);
        }
        const bool was_free = port.splitters[0].ready();
        port.step(now, counters);
        if (!was_free && port.splitters[0].ready()) runner.next = now + 1;
        port_next = port.next(now);
    }

    bool offered_pass() { return runner.offer(ARRAY) >= 0; }

    void step_array() {
        UnitQueue &queue = runner.queues[ARRAY];
        array.step(now, offered_pass(), activations);
        queue.done = array.done, queue.accepted = array.accepted;
        runner_poked |= array.done || array.accepted;
    }

    void step_drains() {
        UnitQueue &queue = runner.queues[DRAIN];
        queue.done = drain_join.out.due(now);
        if (queue.done) drain_join.out.take(), runner_poked = true;
        DrainFields fields;
        uint32_t commanded = 0;
        if (offered(DRAIN, fields))
            queue.accepted = drain_fork.step([&](unsigned g) { return drains[g].ready(); },
                                             [&](unsigned g) { commanded |= uint32_t(1) << g; });
        else if (drains_next > now && skips)
            return;
        runner_poked |= queue.accepted;
        bool busy = false;
        for (unsigned g = 0; g < drains.size(); g++) {
            if (drains[g].done()) drained[g].at(now, 0);
            busy |= drains[g].step(now, commanded >> g & 1 ? &fields : nullptr,
                                   &activations.writes[1 + g * config.drain_lanes],
                                   &activations.reads[array.ports[g] + 1], counters);
        }
        drain_join.join(drains.size(), [&](unsigned g) -> Delayed<char> & { return drained[g]; });
        drains_next = busy || drain_fork.complete() || !drain_join.out.empty() ? now + 1 : NEVER;
    }

    void step_vector() {
        if (!config.pool) return;
        UnitQueue &queue = runner.queues[VECTOR];
        VectorFields fields;
        const VectorFields *command = offered(VECTOR, fields);
        if (!command && vector_next > now && skips) return;
        queue.done = vector.done();
        queue.accepted = command && vector.ready();
        vector.step(now, queue.accepted ? command : nullptr, activations.writes.back(), activations.reads.back());
        runner_poked |= queue.done || queue.accepted;
        vector_next = vector.ready() ? NEVER : now + 1;
    }

    void step_copies() {
        LoadFields load_fields;
        StoreFields store_fields;
        UnitQueue &loads = runner.queues[LOAD], &stores = runner.queues[STORE];
        const LoadFields *load_command = offered(LOAD, load_fields);
        const StoreFields *store_command = offered(STORE, store_fields);
        if (!load_command && !store_command && copies_next > now && skips) return;
        auto record = [this](uint32_t index, uint64_t address) {
            uint64_t at = address - bases[0] + CHANNEL_BYTE;
            if (at + 1 < constants_size && index < channels.size())
                channels[index] = (constants[at] | constants[at + 1] << 8) & CHANNEL_MASK;
        };
        loads.done = load.step(now, load_command, bases, activations.writes[0].granted, port, record, counters,
                               loads.accepted);
        stores.done = store.step(now, store_command, bases, port, activations.reads[0], stores.accepted);
        runner_poked |= loads.done || loads.accepted || stores.done || stores.accepted;
        activations.writes[0].offer(load.writes_activations(), load.address());
        copies_next = load.idle() && store.idle() ? NEVER : now + 1;
    }
};

}  // namespace hwgen
