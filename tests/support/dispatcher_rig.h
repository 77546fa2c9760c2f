#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bridge/deliver/dispatcher.h"
#include "bridge/deliver/recorder.h"
#include "tests/support/delivery_fakes.h"

namespace orbridge::test {

/// Dispatcher and recorder over fakes, stepped by hand.
struct DispatcherRig {
    explicit DispatcherRig(DispatcherSettings settings = {})
        : dispatcher(store, transport, recorder, clock, random, log, settings) {}

    void targets(const std::vector<std::string>& names, int cap = 10) {
        std::vector<DeliveryTarget> all;
        for (const auto& name : names) {
            DeliveryTarget target{.id = {name}, .recipe = recipe, .in_flight_max = cap};
            target.retry.jitter = 0;
            all.push_back(std::move(target));
        }
        dispatcher.set_targets(std::move(all));
    }
    void record() {
        while (recorder.backlog() > 0 && recorder.step() == milliseconds{0}) {
        }
    }
    milliseconds run() {
        record();
        return dispatcher.step();
    }
    void answer(int status, const std::string& body = {}) { transport.answer(0, status, body); }
    std::size_t logged(const std::string& what) const {
        return static_cast<std::size_t>(std::count_if(
            lines.begin(), lines.end(), [&](const std::string& line) { return line.find(what) != std::string::npos; }));
    }

    ManualClock clock;
    SeededRandom random{1};
    std::vector<std::string> lines;
    Log log{clock, Log::Level::Debug, [this](const std::string& line) { lines.push_back(line); }};
    DeliveryStore store;
    ScriptedTransport transport;
    Recorder recorder{store, clock, log};
    std::shared_ptr<PlainRecipe> recipe = std::make_shared<PlainRecipe>();
    Dispatcher dispatcher;
};

}  // namespace orbridge::test
