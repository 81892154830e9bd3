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
    uint64_t bases[BASES] = {};
    const uint8_t *constants = nullptr;  // behind base register 0
    uint64_t constants_size = 0;
    std::vector<uint16_t> channels;  // of the records in the parameter memory
    std::vector<std::vector<Decisions>> decisions;  // of each group, of each gate in order
    Cycle now = 0, began = 0;

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
        for (int g = 0; g < config.clusters; g++) {
            clusters[g].build(config, g);
            for (Group &group : clusters[g].groups) group.gates = &decisions[group.index];
            drains[g].build(config, clusters[g], channels);
        }
        if (config.pool) vector.build(config);
        pass_fork.build(1 + config.clusters);
        drain_fork.build(config.clusters);
        pass_join.build(config.clusters);
        drain_join.build(config.clusters);
    }

    // Another program. What the hardware keeps from one to the next stays: whose turn it is everywhere.
    void begin(std::vector<Instruction> program, uint64_t address) {
        runner = ProgramRunner();
        runner.program = std::move(program);
        runner.fetch.address = address;
        runner.build(config);
        counters = Counters();
        port.memory.credit = Memory::RESTED;
        for (auto &gates : decisions) gates.clear();
        for (Cluster &cluster : clusters)
            for (Group &group : cluster.groups) group.restart();
        now += PAUSE;
        began = now;
    }

    // False: the program has not ended within `limit` cycles.
    bool run(Cycle limit) {
        while (!runner.ended && now - began < limit) step();
        counters.cycles = now - began;
        return runner.ended;
    }

    void step() {
        port.memory.offer(now);
        activations.writes[0].valid = load.writes_activations();
        activations.writes[0].address = load.address();
        activations.arbitrate(counters);
        step_array();
        step_drains();
        step_vector();
        step_copies();
        activations.step();
        runner.step(now, port, counters);
        port.step(now, counters);
        now++;
    }

private:
    template <class Fields>
    const Fields *offered(Unit unit, Fields &fields) {
        int number = runner.offer(unit);
        if (number < 0) return nullptr;
        read_fields(fields, runner.program[number].fields);
        return &fields;
    }

    unsigned streamer_port(unsigned g) const { return 1 + g * (1 + config.drain_lanes); }

    void step_array() {
        UnitQueue &queue = runner.queues[ARRAY];
        PassFields fields;
        const PassFields *feeder_command = nullptr;
        for (Cluster &cluster : clusters) cluster.begin(now, feeder);
        queue.done = pass_join.strobe();
        pass_join.step([&](unsigned g) { return clusters[g].join.strobe(); });
        if (offered(ARRAY, fields)) {
            Pass pass{fields, 0, unsigned(runner.offer(ARRAY))};
            queue.accepted = pass_fork.step([&](unsigned n) { return n ? clusters[n - 1].take(pass) : feeder.ready(); },
                                            [&](unsigned n) {
                                                if (!n) feeder_command = &fields;
                                            });
        }
        for (unsigned g = 0; g < clusters.size(); g++)
            clusters[g].step(now, feeder.loaded, activations.reads[streamer_port(g)], counters);
        feeder.step(now, feeder_command, counters);
    }

    void step_drains() {
        UnitQueue &queue = runner.queues[DRAIN];
        DrainFields fields;
        std::vector<const DrainFields *> commands(drains.size());
        queue.done = drain_join.strobe();
        drain_join.step([&](unsigned g) { return drains[g].done(); });
        if (offered(DRAIN, fields))
            queue.accepted =
                drain_fork.step([&](unsigned g) { return drains[g].ready(); }, [&](unsigned g) { commands[g] = &fields; });
        for (unsigned g = 0; g < drains.size(); g++)
            drains[g].step(commands[g], &activations.writes[1 + g * config.drain_lanes],
                           &activations.reads[streamer_port(g) + 1], counters);
    }

    void step_vector() {
        if (!config.pool) return;
        UnitQueue &queue = runner.queues[VECTOR];
        VectorFields fields;
        queue.done = vector.done();
        const VectorFields *command = offered(VECTOR, fields);
        queue.accepted = command && vector.ready();
        vector.step(now, queue.accepted ? command : nullptr, activations.writes.back(), activations.reads.back());
    }

    void step_copies() {
        LoadFields load_fields;
        StoreFields store_fields;
        UnitQueue &loads = runner.queues[LOAD], &stores = runner.queues[STORE];
        const LoadFields *load_command = offered(LOAD, load_fields);
        const StoreFields *store_command = offered(STORE, store_fields);
        auto record = [this](uint32_t index, uint64_t address) {
            uint64_t at = address - bases[0] + CHANNEL_BYTE;
            if (at + 1 < constants_size && index < channels.size())
                channels[index] = (constants[at] | constants[at + 1] << 8) & CHANNEL_MASK;
        };
        loads.done = load.step(now, load_command, bases, activations.writes[0].granted, port, record, counters,
                               loads.accepted);
        stores.done = store.step(now, store_command, bases, port, activations.reads[0], stores.accepted);
    }
};

}  // namespace hwgen
