#include <algorithm>

#include "bridge/store/memory_store.h"

namespace orbridge {
namespace {

bool matches(const AuditQuery& query, const AuditRow& row) {
    const auto fits = [](const std::string& wanted, const std::string& value) {
        return wanted.empty() || wanted == value;
    };
    return fits(query.who, row.who) && fits(query.what, row.what) && fits(query.subject, row.subject) &&
           (!query.since || row.at >= *query.since) && (!query.until || row.at < *query.until) &&
           (query.before_number == 0 || row.number < query.before_number);
}

}  // namespace

Status MemoryStore::add_audit(const AuditRow& row) {
    state_.with([&](State& state) {
        state.audit.push_back(row);
        state.audit.back().number = ++state.last_audit;
    });
    return Ok{};
}

Result<std::vector<AuditRow>> MemoryStore::audit(const AuditQuery& query) {
    return state_.with([&](const State& state) -> Result<std::vector<AuditRow>> {
        std::vector<AuditRow> found;
        for (auto row = state.audit.rbegin(); row != state.audit.rend(); ++row) {
            if (static_cast<int>(found.size()) >= query.limit) break;
            if (matches(query, *row)) found.push_back(*row);
        }
        return found;
    });
}

Result<std::uint64_t> MemoryStore::prune_audit(const AuditRetention& retention, TimePoint now, int limit) {
    return state_.with([&](State& state) -> Result<std::uint64_t> {
        std::uint64_t removed = 0;
        const auto too_many = static_cast<std::int64_t>(state.last_audit) - retention.rows_max;
        std::erase_if(state.audit, [&](const AuditRow& row) {
            const bool old = row.at < now - retention.age || static_cast<std::int64_t>(row.number) <= too_many;
            if (!old || removed >= static_cast<std::uint64_t>(std::max(0, limit))) return false;
            ++removed;
            return true;
        });
        return removed;
    });
}

}  // namespace orbridge
