// A streamer and a chain of groups (hwgen/rtl/cluster.py).
#pragma once
#include "fork.h"
#include "streamer.h"

namespace hwgen {

struct Cluster {
    const Config *config = nullptr;
    unsigned number = 0;
    bool sleeps = true;
    Streamer streamer;
    std::vector<Group> groups;
    Fork fork;
    StrobeJoin join;
    std::vector<std::vector<uint8_t>> trimmed;  // of each pass, the modes of its vectors
    bool chain_moves = true;  // or has moved in the cycle before
    Cycle next = 0;           // the next cycle that must be stepped
    bool staged = false;      // a pass waits for streamer and groups
    // In this cycle
    bool comes = false;  // a pass
    Pass pass{};
    const Pass *streamer_command = nullptr;
    std::vector<char> group_commanded;

    void build(const Config &c, Feeder &feeder, unsigned index, bool skips) {
        config = &c;
        number = index;
        sleeps = skips;
        streamer.build(c, index);
        groups.resize(c.groups);
        for (unsigned j = 0; j < groups.size(); j++) groups[j].build(c, feeder, index * c.groups + j, skips);
        fork.build(1 + c.groups);
        group_commanded.assign(c.groups, 0);
    }

    unsigned positions(int64_t all) const { return unsigned(all + config->clusters - 1 - number) / config->clusters; }

    bool ready() const { return !staged; }
    // A pass comes.
    void give(Cycle now) { comes = true, next = now; }

    Pass own(Pass pass) const {
        pass.positions = positions(pass.fields.positions);
        return pass;
    }
    GroupCommand command_of(const Pass &pass) const {
        const PassFields &f = pass.fields;
        return {bool(f.gate),   bool(f.conditional), bool(f.bank), unsigned(f.slots),
                pass.positions, f.chunks,            pass.first,   unsigned(f.mode),
                pass.number < trimmed.size() ? trimmed[pass.number].data() : nullptr};
    }

    // A chunk has been loaded.
    void loaded(Cycle now) {
        for (Group &group : groups) group.poke(now);
        next = now;
    }

    // The read port of the streamer has changed.
    void poke(Cycle when) {
        streamer.poke(when);
        next = std::min(next, when);
    }

    // `newest`: the pass that has come last.
    void step(Cycle now, const Pass *newest, ReadPort &port, Counters &counters) {
        bool moves = false;
        const bool changes = stage(newest);
        bool taken = true;  // by the next group, of what the one before offers
        for (int j = int(groups.size()) - 1; j >= 0; j--) {
            Group &group = groups[j];
            const unsigned pops = sequence(now, group, group_commanded[j], counters);
            group_commanded[j] = 0;
            moves |= pops;
            if (!chain_moves) {
                group.level -= pops;
                taken = false;
                continue;
            }
            const bool offered = j ? groups[j - 1].link.valid : streamer.vectors.valid;
            const uint32_t want = j ? groups[j - 1].link.out : streamer.vectors.out;
            const bool wanted = want >> j & 1;
            const bool ready = group.accepts(wanted), comes = offered && ready;
            moves |= comes || (group.link.valid && taken);
            group.link.step(taken, comes, want);
            group.level += (comes && wanted) - pops;
            if (comes && wanted) counters.vector_pushes++, group.poke(now + 1);
            taken = ready;
        }
        const bool offers = streamer.vectors.valid;
        if (streamer_command || (taken && offers) || streamer.next_step <= now || !sleeps)
            streamer.step(now, streamer_command, taken, port, groups, counters);
        streamer_command = nullptr;
        chain_moves = moves || (streamer.vectors.valid && (!offers || taken)) || !sleeps;
        join.join(groups.size(), [&](unsigned j) -> Delayed<char> & { return groups[j].done; });

        if (!streamer.tasks.complete()) streamer.poke(std::max(now + 1, streamer.tasks.next(groups)));
        next = chain_moves || !sleeps ? now + 1 : streamer.next_step;
        for (const Group &group : groups) next = std::min(next, group.wakes(now));
        if (changes) next = now + 1;
    }

    bool archivable() const {
        return streamer.archivable() &&
               std::all_of(groups.begin(), groups.end(), [](const Group &group) { return group.archivable(); });
    }
    template <class Archive>
    void archive(Archive &a, ReadPort &port, Counters &counters) {
        fork.archive(a);
        join.archive(a);
        a.time(next);
        a.value(chain_moves), a.value(staged);
        for (Group &group : groups)
            group.archive(a, [&](const Chunks::Part &part) { return command_of(own(part.pass)); }, counters);
        streamer.archive(a, [&](const Pass &pass) { return own(pass); });
        port.archive(a);
    }

private:
    // The pass that waits goes to whoever is ready for it. True: there may be more to do in the next cycle.
    bool stage(const Pass *newest) {
        if (!staged) {
            staged = comes, comes = false;
            return staged;
        }
        bool given = false;
        staged = !fork.step([&](unsigned n) { return n ? groups[n - 1].planner.commands.ready() : streamer.ready(); },
                            [&](unsigned n) {
                                if (!given) pass = own(*newest);
                                given = true;
                                if (n)
                                    group_commanded[n - 1] = 1;
                                else
                                    streamer_command = &pass;
                            });
        return given || !staged;
    }

    // Vectors that leave the queue of a group.
    unsigned sequence(Cycle now, Group &group, bool commanded, Counters &counters) {
        if (group.next <= now || ((commanded || !sleeps) && group.run_until <= now)) {
            if (!commanded) return group.sequence(now, nullptr, counters);
            const GroupCommand command = command_of(pass);
            return group.sequence(now, &command, counters);
        }
        if (commanded) group.planner.commands.step(false, true, command_of(pass));
        return group.leaves(now);
    }
};

}  // namespace hwgen
