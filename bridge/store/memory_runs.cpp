#include <algorithm>

#include "bridge/store/memory_store.h"

namespace orbridge {
namespace {

bool matches(const RunQuery& query, const RunRow& row) {
    const auto fits = [](const std::string& wanted, const std::string& value) {
        return wanted.empty() || wanted == value;
    };
    return fits(query.target, row.target) && fits(query.task, row.task) && fits(query.delivery, row.delivery) &&
           (!query.success || row.success == *query.success) && (!query.since || row.at >= *query.since) &&
           (!query.until || row.at < *query.until) && (query.before_number == 0 || row.number < query.before_number);
}

}  // namespace

void MemoryStore::keep_run(State& state, const RunRow& row) const {
    if (runs_bytes_max_ == 0) return;
    auto kept = shortened(row, run_params_bytes_max_);
    state.last_run += static_cast<std::uint64_t>(bytes_of(kept));
    kept.number = state.last_run;
    state.runs.push_back(std::move(kept));
    const auto gone = [&](const RunRow& old) { return old.number + runs_bytes_max_ <= state.last_run; };
    std::erase_if(state.runs, gone);
}

Status MemoryStore::add_runs(const std::vector<RunRow>& rows) {
    state_.with([&](State& state) {
        for (const auto& row : rows) keep_run(state, row);
    });
    return Ok{};
}

Result<std::vector<RunRow>> MemoryStore::runs(const RunQuery& query) {
    return state_.with([&](const State& state) -> Result<std::vector<RunRow>> {
        std::vector<RunRow> found;
        for (auto row = state.runs.rbegin(); row != state.runs.rend(); ++row) {
            if (static_cast<int>(found.size()) >= query.limit) break;
            if (matches(query, *row)) found.push_back(*row);
        }
        return found;
    });
}

}  // namespace orbridge
