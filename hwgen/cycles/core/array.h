// What computes: the feeder and the clusters (hwgen/rtl/array.py). It reads activations, and hears of nothing but passes.
#pragma once
#include "cluster.h"

namespace hwgen {

struct Array {
    const Config *config = nullptr;
    bool sleeps = true;  // units sleep until something changes for them
    Feeder feeder;
    std::vector<Cluster> clusters;
    Chunks chunks;
    std::vector<std::vector<Decisions>> decisions;  // of each group, of each gate in order
    Fork fork;
    StrobeJoin join;
    unsigned taken = 0;                   // passes of the program
    bool staged = false;                  // in front of the feeder: the newest pass that the fork has given it
    bool accepted = false, done = false;  // a pass, in this cycle
    Counters counters;
    std::vector<unsigned> ports;  // of the buffer, one for each cluster
    PortSet port_set;

    void build(const Config &c, bool skips) {
        config = &c;
        sleeps = skips;
        feeder.build(c);
        chunks.build(c);
        decisions.resize(c.clusters * c.groups);
        clusters.resize(c.clusters);
        for (int g = 0; g < c.clusters; g++) {
            clusters[g].build(c, feeder, g, skips);
            for (Group &group : clusters[g].groups) group.gates = &decisions[group.index];
            ports.push_back(1 + g * (1 + c.drain_lanes));
            port_set.add(ports.back());
        }
        fork.build(1 + c.clusters);
    }
    // Another program, whose passes `chunks` gets one by one.
    void begin(Cycle now) {
        chunks.begin(feeder.taken);
        taken = 0;
        counters = Counters();
        for (auto &gates : decisions) gates.clear();
        for (Cluster &cluster : clusters) {
            cluster.trimmed.clear();
            for (Group &group : cluster.groups) group.restart(now);
        }
    }
    // What vectors hold decides on the time they take.
    bool trims() const { return !clusters[0].trimmed.empty(); }

    // `offered`: there is a pass to take.
    void step(Cycle now, bool offered, ActivationBuffer &buffer) {
        const PassFields *feeder_command = staged ? &newest(0)->fields : nullptr;
        if (feeder.begin(now))
            for (Cluster &cluster : clusters) cluster.loaded(now);
        done = join.out.due(now);
        if (done) join.out.take();
        accepted = false;
        bool comes = false;  // a pass, to the feeder
        if (offered) {
            accepted = fork.step([&](unsigned n) { return n ? clusters[n - 1].ready() : !staged; },
                                 [&](unsigned n) {
                                     if (n)
                                         clusters[n - 1].give(now);
                                     else
                                         comes = true;
                                 });
            taken += accepted;
        }
        bool stepped = false;
        for (unsigned g = 0; g < clusters.size(); g++) {
            if (clusters[g].next > now && sleeps) continue;
            clusters[g].step(now, newest(1 + g), buffer.reads[ports[g]], counters);
            stepped = true;
        }
        if (stepped) join.join(clusters.size(), [&](unsigned g) -> Delayed<char> & { return clusters[g].join.out; });
        if (feeder_command || feeder.next <= now || !sleeps) {
            const bool leaves = staged && feeder.ready(now);
            if (leaves) staged = false;
            feeder.step(now, feeder_command, counters);
            if (leaves) feeder.next = std::min(feeder.next, now + 1);  // there is room for the next one
        }
        if (comes) staged = true, feeder.next = now + 1;
    }
    // The pass that the fork has given last to its output.
    const Pass *newest(unsigned output) const {
        const unsigned count = taken + unsigned(fork.taken[output]);
        return count ? &chunks.passes[count - 1].pass : nullptr;
    }
    // What has been read may be there.
    void poke(Cycle when, const ActivationBuffer &buffer) {
        for (unsigned g = 0; g < clusters.size(); g++)
            if (buffer.changed.has(ports[g])) clusters[g].poke(when);
    }
    // The next cycle that must be stepped.
    Cycle next() const {
        if (fork.complete()) return 0;
        Cycle first = std::min({feeder.next, feeder.arrivals.next(), join.out.next()});
        for (const Cluster &cluster : clusters) first = std::min(first, cluster.next);
        return first;
    }

    // Nothing of a gate is under way.
    bool archivable() const {
        return std::all_of(clusters.begin(), clusters.end(), [](const Cluster &one) { return one.archivable(); });
    }
    template <class Archive>
    void archive(Archive &a, ActivationBuffer &buffer) {
        fork.archive(a);
        join.archive(a);
        a.value(staged);
        feeder.archive(a);
        for (unsigned g = 0; g < clusters.size(); g++) clusters[g].archive(a, buffer.reads[ports[g]], counters);
    }
    // The chunks that anything of it depends on: from the first one up to, and without, the second.
    uint64_t from() const {
        uint64_t chunk = feeder.loaded;
        for (const Cluster &cluster : clusters)
            for (const Group &group : cluster.groups) chunk = std::min(chunk, group.chunks_done);
        return chunk;
    }
    uint64_t to() const {
        uint64_t chunk = feeder.sends();
        for (const Cluster &cluster : clusters) chunk = std::max(chunk, cluster.streamer.sees());
        return chunk + 3;
    }
    // Gates that have ended, in all groups.
    unsigned gates() const {
        unsigned count = 0;
        for (const Cluster &cluster : clusters)
            for (const Group &group : cluster.groups) count += group.gate_number;
        return count;
    }
};

}  // namespace hwgen
