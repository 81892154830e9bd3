// The whole, cycle by cycle (hwgen/accelerator.py).
#pragma once
#include "drain.h"
#include "feeder.h"
#include "load.h"
#include "program.h"
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
    Feeder feeder;
    std::vector<Cluster> clusters;
    std::vector<Drain> drains;
    VectorUnit vector;
    Fork pass_fork, drain_fork;
    StrobeJoin pass_join, drain_join;
    std::vector<Delayed<char>> drained;  // by each cluster
    uint64_t bases[BASES] = {};
    const uint8_t *constants = nullptr;  // behind base register 0
    uint64_t constants_size = 0;
    std::vector<uint16_t> channels;  // of the records in the parameter memory
    std::vector<std::vector<Decisions>> decisions;  // of each group, of each gate in order
    Cycle now = 0, began = 0;
    bool skips = true;  // cycles in which nothing happens are left out

    void build() {
        port.build(config);
        load.build(config);
        store.build(config);
        activations.build(config, 1 + config.clusters * (1 + config.drain_lanes) + config.pool,
                          1 + config.clusters * config.drain_lanes + config.pool);
        feeder.build(config);
        channels.assign(config.parameter_words, 0);
        decisions.resize(config.clusters * config.groups);
        clusters.resize(config.clusters);
        drains.resize(config.clusters);
        drained.resize(config.clusters);
        for (int g = 0; g < config.clusters; g++) {
            clusters[g].build(config, feeder, g, skips);
            for (Group &group : clusters[g].groups) group.gates = &decisions[group.index];
            drains[g].build(config, clusters[g], channels);
        }
        if (config.pool) vector.build(config);
        pass_fork.build(1 + config.clusters);
        drain_fork.build(config.clusters);
    }

    // Another program. What the hardware keeps from one to the next stays: whose turn it is everywhere.
    void begin(std::vector<Instruction> program, uint64_t address) {
        runner = ProgramRunner();
        runner.program = std::move(program);
        runner.fetch.address = address;
        runner.build(config);
        counters = Counters();
        offered_pass = -1;
        port.memory.credit = Memory::RESTED;
        for (auto &gates : decisions) gates.clear();
        for (Cluster &cluster : clusters)
            for (Group &group : cluster.groups) group.restart(now + PAUSE);
        now += PAUSE;
        port_next = now;
        began = now;
    }

    // False: the program has not ended within `limit` cycles.
    bool run(Cycle limit) {
        while (!runner.ended && now - began < limit) {
            step();
            now = skips ? next() : now + 1;
        }
        counters.cycles = now - began;
        return runner.ended;
    }

    void step() {
        if (port_next <= now || !skips) port.memory.offer(now);
        const bool buffer = activations_next <= now || activations.writing() || !skips;
        if (buffer) activations.arbitrate(counters);
        step_array();
        step_drains();
        step_vector();
        step_copies();
        step_activations(buffer);
        if (runner_poked || runner.next <= now || port.beat_valid(0) || !skips) runner.step(now, port, counters);
        runner_poked = false;
        step_port();
    }

private:
    Cycle port_next = 0, activations_next = 0, drains_next = 0, vector_next = 0, copies_next = 0;
    Pass pass{};  // the one that is offered to the array
    int offered_pass = -1;
    bool runner_poked = false;  // a unit has taken or ended an instruction in this cycle

    // The next cycle in which anything may happen.
    Cycle next() {
        if (runner.ended) return now + 1;
        Cycle first = std::min({runner.next, port_next, activations_next, drains_next, vector_next, copies_next});
        first = std::min({first, feeder.next, feeder.arrivals.next(), pass_join.out.next()});
        for (const Cluster &cluster : clusters) first = std::min(first, cluster.next);
        return std::max(first, now + 1);
    }

    template <class Fields>
    const Fields *offered(Unit unit, Fields &fields) {
        const int number = runner.offer(unit);
        if (number < 0) return nullptr;
        read_fields(fields, runner.program[number].fields);
        return &fields;
    }

    unsigned streamer_port(unsigned g) const { return 1 + g * (1 + config.drain_lanes); }

    void step_activations(bool buffer) {
        if (!buffer && !activations.reading()) return;
        activations_next = activations.step() ? now + 1 : NEVER;
        for (unsigned g = 0; g < clusters.size(); g++)
            if (activations.changed[streamer_port(g)]) clusters[g].poke(now + 1);
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

    void step_array() {
        UnitQueue &queue = runner.queues[ARRAY];
        const PassFields *feeder_command = nullptr;
        if (feeder.begin(now))
            for (Cluster &cluster : clusters) cluster.loaded(now);
        queue.done = pass_join.out.due(now);
        if (queue.done) pass_join.out.take(), runner_poked = true;
        if (const int number = runner.offer(ARRAY); number >= 0) {
            if (number != offered_pass) {
                read_fields(pass.fields, runner.program[number].fields);
                pass.number = offered_pass = number;
            }
            queue.accepted =
                pass_fork.step([&](unsigned n) { return n ? clusters[n - 1].take(now, pass) : feeder.ready(now); },
                               [&](unsigned n) {
                                   if (!n) feeder_command = &pass.fields;
                               });
            runner_poked |= queue.accepted;
        }
        bool stepped = false;
        for (unsigned g = 0; g < clusters.size(); g++) {
            if (clusters[g].next > now && skips) continue;
            clusters[g].step(now, activations.reads[streamer_port(g)], counters);
            stepped = true;
        }
        if (stepped) pass_join.join(clusters.size(), [&](unsigned g) -> Delayed<char> & { return clusters[g].join.out; });
        if (feeder_command || feeder.next <= now || !skips) feeder.step(now, feeder_command, counters);
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
                                   &activations.reads[streamer_port(g) + 1], counters);
        }
        drain_join.join(drains.size(), [&](unsigned g) -> Delayed<char> & { return drained[g]; });
        drains_next = busy || !drain_join.out.empty() ? now + 1 : NEVER;
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
        *activations.writes[0].valid = load.writes_activations();
        activations.writes[0].address = load.address();
        copies_next = load.idle() && store.idle() ? NEVER : now + 1;
    }
};

}  // namespace hwgen
