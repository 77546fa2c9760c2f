#pragma once

#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "adapters/openregister/api_client.h"

namespace orbridge::openregister {

/// The objects of one schema in one register: what OpenRegister lists together.
struct Collection {
    std::string register_id, schema_id;
    friend auto operator<=>(const Collection&, const Collection&) = default;
};

struct Collections {
    std::vector<Collection> all;  ///< sorted
    std::optional<Trouble> trouble;
};

/// Part of a list of objects. The document keeps the objects alive.
struct ObjectPage {
    JsonPtr document;
    std::vector<Json> objects;
    std::size_t next_offset = 0;
    bool last = true;
    std::optional<Trouble> trouble;
};

/// Reads objects whole, through lists only: reading a single one would write a row `read` into the audit trail
/// (openregister.md §5). One thread.
class ObjectReader {
public:
    /// `page_objects`: of one request; fewer are asked for when an answer gets too large.
    ObjectReader(const ApiClient& client, std::size_t page_objects) : client_(client), limit_(page_objects) {}

    Collections collections() const;
    /// Sorted by uuid. Deleted objects are never in it.
    ObjectPage page(const Collection& collection, std::size_t offset);
    /// Those of these objects that are not deleted, in any order.
    ObjectPage some(const Collection& collection, const std::vector<std::string>& uuids);

private:
    ObjectPage ask(const Collection& collection, const std::string& filter, std::size_t offset, std::size_t limit);

    const ApiClient& client_;
    std::size_t limit_;
};

/// `object:3/12/<uuid>`, the subject that mappings/openregister.yaml gives an object; without the uuid what all of a
/// collection begin with.
std::string subject_of(const std::string& register_id, const std::string& schema_id, const std::string& uuid);

}  // namespace orbridge::openregister
