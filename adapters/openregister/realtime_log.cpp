#include <algorithm>

#include "adapters/openregister/change_logs.h"

namespace orbridge::openregister {
namespace {

constexpr std::size_t kPageMost = 1'000;  // more are never given (openregister.md §5.2)

class RealtimeLog final : public ChangeLog {
public:
    RealtimeLog(const ApiClient& client, LogLimits limits)
        : client_(client), limits_(limits), limit_(std::min(limits.page_rows, kPageMost)) {}

    LogStep after(const LogPosition& position) override {
        LogStep step;
        step.position = position;
        for (auto since = position.floor;;) {
            const auto reply = ask(since);
            if (step.trouble = reply.trouble; step.trouble) return step;
            const auto events = reply.data["events"].members();
            const auto ids = ids_of(events);
            if (since == position.floor) step.lost = is_lost(position, ids);
            take(step, events, position, reply.document);
            step.more = reply.data["hasMore"].boolean().value_or(false) && !ids.empty();
            if (!step.rows.empty() || !step.more) return step;
            since = *std::max_element(ids.begin(), ids.end());
        }
    }

    LogStep end() override {
        LogStep step;
        const auto cursor = client_.get("/api/realtime/cursor");
        if (step.trouble = cursor.trouble; step.trouble) return step;
        const auto last = cursor.data["cursor"].integer().value_or(0);
        step.position.floor = std::max<RowId>(last - static_cast<RowId>(limits_.tail_rows), 0);
        for (bool more = true; more;) {
            const auto reply = ask(step.position.last());
            if (step.trouble = reply.trouble; step.trouble) return step;
            auto ids = ids_of(reply.data["events"].members());
            more = reply.data["hasMore"].boolean().value_or(false) && !ids.empty() && ids.back() < last;
            step.position = advanced(std::move(step.position), ids, limits_.tail_rows);
        }
        return step;
    }

private:
    Reply ask(RowId since) {
        for (;;) {
            auto reply =
                client_.get("/api/realtime/events?since=" + std::to_string(since) + "&limit=" + std::to_string(limit_));
            if (!reply.cut || limit_ == 1) return reply;
            limit_ = std::max(limit_ / 2, std::size_t{1});
        }
    }

    static std::vector<RowId> ids_of(const std::vector<Json::Member>& events) {
        std::vector<RowId> ids;
        ids.reserve(events.size());
        for (const auto& event : events) ids.push_back(event.value["_cursor"].integer().value_or(0));
        return ids;
    }

    void take(LogStep& step, const std::vector<Json::Member>& events, const LogPosition& position,
              const JsonPtr& document) const {
        std::vector<RowId> fresh;
        for (const auto& event : events) {
            const auto id = event.value["_cursor"].integer().value_or(0);
            if (!position.is_new(id)) continue;
            fresh.push_back(id);
            if (auto row = realtime_row(event.value)) step.rows.push_back(std::move(*row));
        }
        if (!fresh.empty()) step.documents.push_back(document);
        step.position = advanced(std::move(step.position), fresh, limits_.tail_rows);
    }

    const ApiClient& client_;
    LogLimits limits_;
    std::size_t limit_;
};

}  // namespace

std::unique_ptr<ChangeLog> make_realtime_log(const ApiClient& client, LogLimits limits) {
    return std::make_unique<RealtimeLog>(client, limits);
}

}  // namespace orbridge::openregister
