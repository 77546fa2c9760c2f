#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bridge/api/snapshot_waiters.h"
#include "bridge/core/guarded.h"
#include "bridge/core/http.h"
#include "bridge/core/ids.h"
#include "bridge/poll/source_poll.h"
#include "bridge/receive/respond.h"
#include "bridge/store/store.h"

namespace orbridge {

/// A source as readers of its snapshots see it.
struct SnapshotSource {
    bool kept = false;                 ///< `snapshots: true`
    std::optional<PollReport> poll{};  ///< nothing: it is not polled, and what is known is what was pushed
    milliseconds stale_after{0};       ///< what was polled longer ago is stale
};

/// Is a text an integer, and this one? Of any size. Nothing: it is none.
std::optional<bool> names_version(std::string_view text, std::uint64_t version);
/// Does If-None-Match hold this tag?
bool holds_etag(std::string_view if_none_match, std::string_view etag);

/// The part of the API that serves snapshots, to the administrator and to holders of tokens that may read a source.
/// Safe from any thread; everything given to it must outlive it.
class SnapshotsApi {
public:
    struct Parts {
        Store& store;
        const Clock& clock;
        IdMaker& ids;
        SnapshotWaiters& waiters;
        /// Nothing if the caller is the administrator, else the 401.
        std::function<std::optional<Answer>(const InboundRequest&)> refuse;
        /// The sources that a token may read; nothing: there is no such token.
        std::function<std::optional<std::vector<std::string>>(const std::string&)> readable_with;
        std::function<std::map<SourceId, SnapshotSource>()> sources;
        std::function<RefreshVerdict(const SourceId&)> refresh;
        std::function<milliseconds()> wait_max;
        /// Changes when versions may begin anew: with the store.
        std::function<std::string()> incarnation;
    };
    explicit SnapshotsApi(Parts parts) : parts_(std::move(parts)) {}

    /// `GET /api/v1/snapshots`: the sources that the caller may read.
    Answer sources(const InboundRequest& request) const;
    /// `GET /api/v1/snapshots/{source}`, by `after` and `limit`.
    Answer list(const InboundRequest& request, const std::string& source) const;
    /// `GET /api/v1/snapshots/{source}/{subject}`: 200, 304, 400, 401, 403, 404; 503 if too many wait. Who waits is
    /// answered later.
    void show(const InboundRequest& request, const std::string& source, const std::string& subject,
              const Respond& respond);
    /// `POST …/{subject}/refresh`: 202 with an id, 409 of a source that is not polled, 429.
    Answer refresh(const InboundRequest& request, const std::string& source);

private:
    struct Asked {
        SourceId source{};
        std::string subject{};
        SnapshotSource at{};
        std::optional<std::string> version{};
        milliseconds wait{0};
        std::string if_none_match{};
    };
    std::optional<Answer> may_read(const InboundRequest& request, const std::string& source) const;
    std::optional<Answer> find(const InboundRequest& request, const std::string& source, Asked& asked) const;
    std::optional<Answer> read_query(const InboundRequest& request, Asked& asked) const;
    std::string etag_of(const std::optional<Snapshot>& snapshot) const;
    bool is_known(const Asked& asked, const std::optional<Snapshot>& snapshot) const;
    std::optional<Answer> read(const InboundRequest& request, const std::string& source, Asked& asked,
                               std::optional<Snapshot>& snapshot) const;
    Answer answer(const Asked& asked, const std::optional<Snapshot>& snapshot);
    void wait(Asked asked, const Respond& respond);
    Answer answer_with(const Asked& asked, const std::optional<Snapshot>& snapshot) const;
    Answer unchanged(const std::optional<Snapshot>& snapshot) const;
    void note_use(const Asked& asked, const std::optional<Snapshot>& snapshot);

    Parts parts_;
    Guarded<std::map<SourceId, std::string>> refreshes_;  ///< the id of each source's last one
};

}  // namespace orbridge
