#include "adapters/openregister/object_reader.h"

#include <algorithm>

#include "bridge/core/http.h"
#include "bridge/core/text.h"

namespace orbridge::openregister {
namespace {

// `_empty`: null and empty values too. `rbac`, `_multi`: what an administrator sees, as pushes show it.
constexpr std::string_view kWhole = "?_empty=true&rbac=false&_multi=false";

Trouble filters_ignored(const Collection& collection, const Json& names) {
    std::vector<std::string> all;
    for (const auto& name : names.members()) all.push_back(text_of(name.value));
    return {Trouble::Kind::Failed, "The list of register " + collection.register_id + ", schema " +
                                       collection.schema_id + " was made without the filters " + join(all, ", ") +
                                       ", so it says nothing: this OpenRegister knows them under other names."};
}

}  // namespace

std::string subject_of(const std::string& register_id, const std::string& schema_id, const std::string& uuid) {
    return "object:" + register_id + "/" + schema_id + "/" + uuid;
}

Collections ObjectReader::collections() const {
    const auto registers = client_.list("/api/registers");
    Collections found{{}, registers.trouble};
    for (const auto& row : registers.rows) {
        // A list, or an object if PHP's list had gaps; ids are numbers or texts.
        for (const auto& schema : row["schemas"].members()) {
            const auto id = schema.value.is_object() ? text_of(schema.value["id"]) : text_of(schema.value);
            if (!id.empty()) found.all.push_back({text_of(row["id"]), id});
        }
    }
    std::sort(found.all.begin(), found.all.end());
    found.all.erase(std::unique(found.all.begin(), found.all.end()), found.all.end());
    return found;
}

ObjectPage ObjectReader::page(const Collection& collection, std::size_t offset) {
    return ask(collection, "&_order%5B_uuid%5D=ASC", offset, limit_);
}

ObjectPage ObjectReader::some(const Collection& collection, const std::vector<std::string>& uuids) {
    std::string ids;
    for (const auto& uuid : uuids) ids += (ids.empty() ? "" : ",") + percent_encode(uuid);
    ObjectPage all;
    auto part = ask(collection, "&_ids=" + ids, 0, std::max(uuids.size(), std::size_t{1}));
    return part;
}

ObjectPage ObjectReader::ask(const Collection& collection, const std::string& filter, std::size_t offset,
                             std::size_t limit) {
    ObjectPage page;
    const auto path = "/api/objects/" + percent_encode(collection.register_id) + "/" +
                      percent_encode(collection.schema_id) + std::string(kWhole) + filter;
    auto reply = client_.get(path + "&_limit=" + std::to_string(limit) + "&_offset=" + std::to_string(offset));
    for (; reply.cut && limit > 1; limit_ = std::min(limit_, limit)) {
        limit = std::max(limit / 2, std::size_t{1});
        reply = client_.get(path + "&_limit=" + std::to_string(limit) + "&_offset=" + std::to_string(offset));
    }
    page.trouble = reply.trouble;
    if (page.trouble) return page;
    if (const auto ignored = reply.data["@self"]["ignoredFilters"]; !ignored.empty()) {
        page.trouble = filters_ignored(collection, ignored);
        return page;
    }
    const auto results = reply.data["results"];
    if (!results.is_array() && !results.is_object()) {
        page.trouble = Trouble{Trouble::Kind::Failed, "The list of register " + collection.register_id + ", schema " +
                                                          collection.schema_id + " has no `results`."};
        return page;
    }
    page.document = reply.document;
    for (const auto& member : results.members()) page.objects.push_back(member.value);
    // A server may give fewer at once than were asked for, and says so.
    const auto given = reply.data["limit"].integer().value_or(static_cast<std::int64_t>(limit));
    const auto whole = std::min(limit, given > 0 ? static_cast<std::size_t>(given) : limit);
    page.last = page.objects.size() < whole;
    page.next_offset = offset + page.objects.size();
    return page;
}

}  // namespace orbridge::openregister
