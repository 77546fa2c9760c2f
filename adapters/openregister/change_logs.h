#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/openregister/api_client.h"
#include "adapters/openregister/log_position.h"
#include "adapters/openregister/log_rows.h"

namespace orbridge::openregister {

/// What a log told since a position. The documents keep the rows alive.
struct LogStep {
    std::vector<JsonPtr> documents;
    std::vector<LogRow> rows;  ///< not seen before, in the log's order
    LogPosition position;      ///< from which to go on, once the rows are stored
    bool more = false;         ///< there may be younger ones already
    bool lost = false;         ///< the position is not in the log any more: rows may have gone unseen
    std::optional<Trouble> trouble;
};

/// One of OpenRegister's two logs of changes. Waits for its HTTP exchanges; one thread.
class ChangeLog {
public:
    virtual ~ChangeLog() = default;
    /// The rows behind a position, as many as one answer holds.
    virtual LogStep after(const LogPosition& position) = 0;
    /// The position behind the youngest row, with the tail before it taken as seen.
    virtual LogStep end() = 0;
};

struct LogLimits {
    std::size_t page_rows = 500;  ///< asked for at once; fewer when an answer gets too large
    std::size_t tail_rows = 200;  ///< read again each time, because ids commit out of order
};

/// `/api/audit-trails` (openregister.md §5.1). The client must outlive it.
std::unique_ptr<ChangeLog> make_audit_trail(const ApiClient& client, LogLimits limits);
/// `/api/realtime/events` (openregister.md §5.2). The client must outlive it.
std::unique_ptr<ChangeLog> make_realtime_log(const ApiClient& client, LogLimits limits);

}  // namespace orbridge::openregister
