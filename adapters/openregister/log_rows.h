#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/openregister/history.h"
#include "adapters/openregister/log_position.h"
#include "adapters/openregister/told_change.h"

/// Rows of OpenRegister's logs, and what changes they tell. Pure.
namespace orbridge::openregister {

/// A row of either log. What `changed` belongs to must outlive it.
struct LogRow {
    RowId id = 0;
    ChangeKind kind = ChangeKind::Touch;
    bool purged = false;  ///< the object is not even there as a deleted one any more
    std::string uuid{}, register_id{}, schema_id{};
    std::string at{};  ///< RFC 3339
    std::string user{}, organisation{};
    Json changed{};
};

/// `action=` of the audit trail: what changes an object's content or ends it. Reads and locks are not asked for.
std::string audit_actions();
/// A row of `/api/audit-trails`. Nothing: not one about an object's content.
std::optional<LogRow> audit_row(const Json& row);
/// An event of `/api/realtime/events`. Nothing: not about an object.
std::optional<LogRow> realtime_row(const Json& event);

/// What is known of an object from what was accepted before.
struct Known {
    bool seen = false;                   ///< ever
    bool live = false;                   ///< seen, and not deleted since
    bool polled = false;                 ///< the last of it was found by polling
    std::optional<ObjectState> state{};  ///< its last content, if that is known
    bool untold = false;                 ///< seen only: no event told of it yet
};
using KnownOf = std::function<Known(const LogRow&)>;

/// What objects are now, by uuid; nothing: not there any more.
using CurrentStates = std::map<std::string, std::optional<ObjectState>>;

struct Told {
    std::vector<ToldChange> changes;  ///< in the order of the rows
    std::size_t collapsed = 0;        ///< changes whose content was overwritten before it could be read
};

/// Which of these rows' objects must be looked at, because the rows and what is known do not tell their content.
std::vector<const LogRow*> to_look_up(const std::vector<LogRow>& rows, const KnownOf& known);

/// The changes that the rows tell: all of those whose content can be worked out, and the last of each object's.
/// `current` holds at least the objects that to_look_up() named.
Told tell(const std::vector<LogRow>& rows, const KnownOf& known, const CurrentStates& current);

}  // namespace orbridge::openregister
