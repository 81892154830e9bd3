// A streamer and a chain of groups (hwgen/rtl/cluster.py).
#pragma once
#include "fork.h"
#include "streamer.h"

namespace hwgen {

struct Cluster {
    const Config *config = nullptr;
    unsigned number = 0;
    Streamer streamer;
    std::vector<Group> groups;
    Fork fork;
    StrobeJoin join;
    // In this cycle
    Pass pass{};
    const Pass *streamer_command = nullptr;
    std::vector<char> group_commanded;

    void build(const Config &c, unsigned index) {
        config = &c;
        number = index;
        streamer.build(c, index);
        groups.resize(c.groups);
        for (unsigned j = 0; j < groups.size(); j++) groups[j].build(c, index * c.groups + j);
        fork.build(1 + c.groups);
        join.build(c.groups);
        group_commanded.assign(c.groups, 0);
    }

    unsigned positions(int64_t all) const { return unsigned(all + config->clusters - 1 - number) / config->clusters; }

    // The pass goes to whoever is ready for it; true: all have it.
    bool take(const Pass &offered) {
        pass = offered;
        pass.positions = positions(offered.fields.positions);
        return fork.step([&](unsigned n) { return n ? groups[n - 1].planner.commands.ready() : streamer.ready(); },
                         [&](unsigned n) {
                             if (n)
                                 group_commanded[n - 1] = 1;
                             else
                                 streamer_command = &pass;
                         });
    }

    void begin(Cycle now, Feeder &feeder) {
        for (Group &group : groups) group.begin(now, feeder);
    }

    void step(Cycle now, uint64_t loaded, ReadPort &port, Counters &counters) {
        const PassFields &f = pass.fields;
        GroupCommand command{bool(f.gate),    bool(f.conditional), bool(f.bank), unsigned(f.slots),
                             pass.positions, f.chunks,            pass.number};
        bool taken = true;  // by the next group, of what the one before offers
        for (int j = int(groups.size()) - 1; j >= 0; j--) {
            Group &group = groups[j];
            bool offered = j ? groups[j - 1].link.valid : streamer.valid;
            uint32_t want = j ? groups[j - 1].link.out : streamer.want;
            bool wanted = want >> j & 1;
            bool ready = group.accepts(wanted), comes = offered && ready;
            group.sequence(now, loaded, group_commanded[j] ? &command : nullptr, counters);
            group_commanded[j] = 0;
            group.link.step(taken, comes, want);
            group.level += (comes && wanted) - group.pops;
            counters.vector_pushes += comes && wanted;
            taken = ready;
        }
        streamer.step(now, streamer_command, taken, port, groups, counters);
        streamer_command = nullptr;
        join.step([&](unsigned j) { return groups[j].done_now; });
    }
};

}  // namespace hwgen
