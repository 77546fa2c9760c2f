#include <algorithm>
#include <limits>

#include "adapters/openregister/change_logs.h"
#include "bridge/core/http.h"

namespace orbridge::openregister {
namespace {

constexpr int kRestartsMax = 4;  ///< of a search that rows expiring meanwhile led astray
constexpr std::size_t kLimitLeast = 2;
constexpr int kProbesMax = 100;  ///< of one search: a sorted list of 2^64 rows would take fewer

struct Page {
    std::size_t offset = 0;
    Reply reply;
    std::vector<RowId> ids;
    bool full = false;  ///< there may be rows behind it
};

class AuditTrail final : public ChangeLog {
public:
    AuditTrail(const ApiClient& client, LogLimits limits)
        : client_(client), limits_(limits), limit_(std::max(limits.page_rows, kLimitLeast)) {}

    LogStep after(const LogPosition& position) override {
        auto at = position;
        for (int tries = 0; tries < kRestartsMax; ++tries) {
            LogStep step;
            step.position = at;
            if (read(step, at)) return step;
            at.offset = step.position.offset;
        }
        return troubled("The audit trail moved each time it was read: too many rows expire or are added.");
    }

    LogStep end() override {
        const auto first = ask(0, kLimitLeast);
        if (!first.reply) return troubled(*first.reply.trouble);
        // Totals are not to be believed, but are a good place to begin.
        const auto total =
            static_cast<std::size_t>(std::max<std::int64_t>(first.reply.data["total"].integer().value_or(0), 0));
        LogStep step;
        const auto behind = find(std::numeric_limits<RowId>::max(), total, step.trouble);
        if (!behind) return step;
        const auto from = behind->first > limits_.tail_rows ? behind->first - limits_.tail_rows - 1 : 0;
        step.position.offset = from;
        for (std::size_t offset = from;;) {
            const auto page = ask(offset, limit_);
            if (!page.reply) return troubled(*page.reply.trouble);
            step.position = advanced(std::move(step.position), page.ids, limits_.tail_rows);
            if (!page.full) return step;
            offset += page.ids.size();
        }
    }

private:
    Page ask(std::size_t offset, std::size_t limit) {
        for (;;) {
            Page page{.offset = offset, .reply = client_.get(path(offset, limit)), .ids = {}};
            if (page.reply.cut && limit > kLimitLeast) {
                limit = limit_ = std::max(limit / 2, kLimitLeast);
                continue;
            }
            for (const auto& row : page.reply.data["results"].members())
                page.ids.push_back(row.value["id"].integer().value_or(0));
            page.full = page.ids.size() >= limit;
            return page;
        }
    }

    static std::string path(std::size_t offset, std::size_t limit) {
        return "/api/audit-trails?action=" + percent_encode(audit_actions()) +
               "&_sort%5Bid%5D=asc&limit=" + std::to_string(limit) + "&offset=" + std::to_string(offset);
    }

    using Found = std::pair<std::size_t, std::optional<Page>>;

    /// The offset of the first row above `floor`, and the page that shows it if one does.
    std::optional<Found> find(RowId floor, std::size_t hint, std::optional<Trouble>& trouble) {
        OffsetSearch search(floor, hint);
        std::optional<Page> page;
        for (int probes = 0; !search.found(); ++probes) {
            if (probes == kProbesMax) {
                trouble = Trouble{Trouble::Kind::Failed, "The audit trail is not sorted by id."};
                return std::nullopt;
            }
            page = ask(search.next(), limit_);
            trouble = page->reply.trouble;
            if (trouble) return std::nullopt;
            search.see(page->ids, limit_);
        }
        return Found{*search.found(), std::move(page)};
    }

    /// False: the rows moved while they were looked for, and it must be tried again from step.position.offset.
    bool read(LogStep& step, const LogPosition& position) {
        auto found = find(position.floor, position.offset, step.trouble);
        if (!found) return true;
        step.position.offset = found->first;
        const auto from = found->first > 0 ? found->first - 1 : 0;
        auto page = std::move(*found->second);
        const bool shows = page.offset <= from && found->first <= page.offset + page.ids.size();
        if (!shows) page = ask(from, limit_);
        for (bool first = true;; first = false) {
            if (step.trouble = page.reply.trouble; step.trouble) return true;
            if (!joins(page, first ? position.floor : last_)) return false;
            if (first) step.lost = is_lost(position, above(page.ids, position.floor));
            take(step, page, position);
            step.more = page.full;
            if (!step.rows.empty() || !page.full) return true;
            last_ = page.ids.back();
            page = ask(page.offset + page.ids.size() - 1, limit_);  // the row read last once more: nothing moved
        }
    }

    /// Whether nothing can stand between the row read last and the first one here.
    static bool joins(const Page& page, RowId last) {
        return page.offset == 0 || page.ids.empty() || page.ids.front() <= last;
    }

    static std::vector<RowId> above(const std::vector<RowId>& ids, RowId floor) {
        return {std::upper_bound(ids.begin(), ids.end(), floor), ids.end()};
    }

    void take(LogStep& step, const Page& page, const LogPosition& position) const {
        std::vector<RowId> fresh;
        for (const auto& member : page.reply.data["results"].members()) {
            const auto id = member.value["id"].integer().value_or(0);
            if (!position.is_new(id)) continue;
            fresh.push_back(id);
            if (auto row = audit_row(member.value)) step.rows.push_back(std::move(*row));
        }
        if (!fresh.empty()) step.documents.push_back(page.reply.document);
        step.position = advanced(std::move(step.position), fresh, limits_.tail_rows);
    }

    static LogStep troubled(const std::string& message) { return troubled({Trouble::Kind::Failed, message}); }
    static LogStep troubled(Trouble trouble) {
        LogStep step;
        step.trouble = std::move(trouble);
        return step;
    }

    const ApiClient& client_;
    LogLimits limits_;
    std::size_t limit_;
    RowId last_ = 0;
};

}  // namespace

std::unique_ptr<ChangeLog> make_audit_trail(const ApiClient& client, LogLimits limits) {
    return std::make_unique<AuditTrail>(client, limits);
}

}  // namespace orbridge::openregister
