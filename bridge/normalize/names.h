#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bridge/core/guarded.h"
#include "bridge/core/ids.h"

namespace orbridge {

/// Readable names (slugs) of what sources know by number: OpenRegister's registers and schemas. Filled
/// in the background; asking never waits and never calls a source. Safe from any thread.
class Names {
public:
    /// `kind` is `register` or `schema`. Nothing if unknown: callers then use the id.
    std::optional<std::string> slug(const SourceId& source, std::string_view kind, std::string_view id) const;

    /// Replaces all names of one kind of one source.
    void replace(const SourceId& source, std::string_view kind, std::map<std::string, std::string> slug_by_id);
    /// Adds or changes a single name.
    void learn(const SourceId& source, std::string_view kind, const std::string& id, const std::string& slug);
    /// All names of one kind of one source, e.g. to keep them over a restart.
    std::map<std::string, std::string> all(const SourceId& source, std::string_view kind) const;

private:
    using Key = std::pair<std::string, std::string>;
    Guarded<std::map<Key, std::map<std::string, std::string>>> slugs_;
};

}  // namespace orbridge
