#pragma once

#include <string>

/// A change found by polling, in the words OpenRegister's own webhook would have told it: so that it goes through the
/// same mapping, and what comes out of it is byte for byte the same (integrations.md S11). Pure.
namespace orbridge::openregister {

struct ToldChange {
    enum class Kind { Created, Updated, SoftDeleted, Gone };
    Kind kind = Kind::Updated;
    std::string uuid;
    std::string register_id, schema_id;  ///< empty: not known
    std::string object;                  ///< JSON text
    std::string at;                      ///< RFC 3339, when it happened as far as is known
    bool current = false;                ///< the object was read just now, whatever the log says of its past
};

/// The body of a standard webhook (openregister.md §2.1), without the webhook's own name and attempt.
std::string webhook_body(const ToldChange& change);

/// All that is left to say of an object nobody knows the content of.
std::string bare_object(const std::string& uuid, const std::string& register_id, const std::string& schema_id);

}  // namespace orbridge::openregister
