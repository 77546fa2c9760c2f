#pragma once

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "bridge/core/guarded.h"
#include "bridge/store/store.h"

namespace orbridge {

/// When each intake last brought something. Kept in memory and written along with some accepted event,
/// at most once a second: a row rewritten by every accept would cost more than it tells. Safe from any thread.
class Heard {
public:
    void restore(const IntakeHeard& row) {
        state_.with([&](State& state) { state.rows[{row.source, row.intake}] = row; });
    }
    void note(const std::string& source, Intake intake, TimePoint at) {
        state_.with([&](State& state) {
            auto& row = state.rows[{source, intake}];
            row.source = source;
            row.intake = intake;
            row.last_at = std::max(row.last_at, at);
            ++row.count;
        });
    }
    /// What is to be written along with something accepted at `at`; mostly nothing.
    std::vector<IntakeHeard> rows_to_write(TimePoint at) {
        return state_.with([&](State& state) {
            if (state.rows.empty() || at - state.written_at < seconds{1}) return std::vector<IntakeHeard>{};
            state.written_at = at;
            return list(state);
        });
    }
    std::vector<IntakeHeard> rows() const {
        return state_.with([](const State& state) { return list(state); });
    }

private:
    struct State {
        std::map<std::pair<std::string, Intake>, IntakeHeard> rows;
        TimePoint written_at{};
    };
    static std::vector<IntakeHeard> list(const State& state) {
        std::vector<IntakeHeard> rows;
        for (const auto& [key, row] : state.rows) rows.push_back(row);
        return rows;
    }
    Guarded<State> state_;
};

}  // namespace orbridge
