#pragma once

#include <boost/test/unit_test.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bridge/api/replay_jobs.h"
#include "bridge/store/memory_store.h"
#include "tests/support/delivery_fakes.h"

namespace orbridge::test {

/// Replays over a store in memory, driven by hand; restart() begins anew.
struct ReplayDesk {
    explicit ReplayDesk(Replay::HasTarget has_target, Backfilling backfilling = {})
        : replay{store,
                 [](const Event&) { return Status(Ok{}); },
                 [this] { return router; },
                 std::move(has_target),
                 [](const std::vector<TargetId>&) {},
                 std::move(backfilling)} {
        restart();
    }

    void restart() {
        jobs.emplace(replay, store, ids, clock, log);
        jobs->set_limits(settings);
        BOOST_REQUIRE(jobs->load().has_value());
    }
    ReplayJob start(const ReplayOrder& order) {
        auto job = jobs->start(order);
        BOOST_REQUIRE(job.has_value());
        return *job;
    }
    /// One second of steps.
    void second() {
        for (int i = 0; i < 10; ++i) {
            clock.advance(milliseconds{100});
            jobs->step();
        }
    }
    ReplayJob finish(const ReplayJob& job) {
        for (int i = 0; i < 1'000 && jobs->find(job.replay.id)->state == ReplayJob::State::Running; ++i) second();
        return *jobs->find(job.replay.id);
    }

    ManualClock clock;
    Log log{clock, Log::Level::Error, [](const std::string&) {}};
    MemoryStore store;
    SeededRandom random{1};
    IdMaker ids{clock, random};
    std::shared_ptr<const Router> router = std::make_shared<const Router>(std::vector<RouteSettings>{});
    Replay replay;
    ReplaySettings settings;
    std::optional<ReplayJobs> jobs;
};

}  // namespace orbridge::test
