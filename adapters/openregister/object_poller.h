#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/openregister/change_logs.h"
#include "adapters/openregister/comparison.h"
#include "bridge/core/clock.h"

namespace orbridge::openregister {

/// Which of the things an installation may offer changes are read from.
enum class LogKind { Realtime, Audit, Lists };
const char* to_text(LogKind kind);
std::optional<LogKind> log_kind(std::string_view text);

struct ObjectPollerSettings {
    std::optional<LogKind> log;  ///< nothing: the best that the installation offers
    LogLimits limits;
    std::size_t page_objects = 200;       ///< of a list, asked for at once
    std::size_t objects_max = 1'000'000;  ///< Comparison::Settings::objects_max
    /// 0: only at first, and when a log lost its place. Nothing: 6 h beside a log, 15 min without one.
    std::optional<milliseconds> compare_every{};
};

struct ObjectStep {
    std::vector<ToldChange> changes;   ///< happened, in this order as far as is known
    std::vector<ToldChange> existing;  ///< seen for the first time, and older than this poller
    std::string cursor;                ///< to go on from, once all of it is stored
    bool more = false;                 ///< there is more to do at once
    std::size_t collapsed = 0;         ///< changes overwritten before their content could be read
    std::optional<Trouble> trouble;    ///< then nothing was found out, and the cursor is that of before
};

/// Reads what changed in one OpenRegister since it was asked last: from the realtime log, else the audit trail, else
/// by comparing full lists, whichever the installation has. Beside a log it compares too, at first, after the log
/// lost its place, and now and then, because bulk saves, imports and restores are written to no log.
/// Keeps nothing that a restart could not make again; one thread. What `known` refers to must outlive it.
class ObjectPoller {
public:
    ObjectPoller(ApiClient client, ObjectPollerSettings settings, KnownObjects known, const Clock& clock);

    /// `cursor`: of the step stored last; empty at the very first. Waits for its HTTP exchanges.
    ObjectStep step(const std::string& cursor);
    /// Nothing: not found out yet.
    std::optional<LogKind> log() const { return kind_; }
    /// What this installation cannot tell, in sentences.
    std::vector<std::string> cannot_tell() const;

private:
    struct Cursor;

    std::optional<Trouble> probe();
    ObjectStep next(Cursor cursor);
    ObjectStep begin(Cursor cursor, std::string why);
    ObjectStep follow(Cursor cursor);
    ObjectStep compare(Cursor cursor);
    KnownOf known_rows() const;
    CurrentStates look_up(const std::vector<const LogRow*>& rows, std::optional<Trouble>& trouble);
    std::optional<Trouble> find_registers(std::vector<LogRow>& rows);
    milliseconds compare_every() const;
    bool compare_due(const Cursor& cursor) const;

    ApiClient client_;
    ObjectPollerSettings settings_;
    KnownObjects known_;
    const Clock& clock_;
    ObjectReader reader_;
    std::optional<LogKind> kind_;
    std::unique_ptr<ChangeLog> log_;  ///< null with LogKind::Lists
    std::unique_ptr<Comparison> comparison_;
    std::optional<TimePoint> followed_at_;
    std::vector<std::string> left_out_;  ///< of the last comparison
    std::uint64_t collapsed_ = 0;
    std::uint64_t only_compared_ = 0;  ///< changes that the log did not tell
};

}  // namespace orbridge::openregister
