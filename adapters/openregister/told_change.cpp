#include "adapters/openregister/told_change.h"

#include "bridge/core/json.h"

namespace orbridge::openregister {
namespace {

struct Words {
    const char* event;
    const char* action;
};

/// A soft delete is told as an update (openregister.md §0.4).
Words words_of(ToldChange::Kind kind) {
    switch (kind) {
        case ToldChange::Kind::Created: return {"OCA\\OpenRegister\\Event\\ObjectCreatedEvent", "create"};
        case ToldChange::Kind::Gone: return {"OCA\\OpenRegister\\Event\\ObjectDeletedEvent", "delete"};
        case ToldChange::Kind::Updated:
        case ToldChange::Kind::SoftDeleted: break;
    }
    return {"OCA\\OpenRegister\\Event\\ObjectUpdatedEvent", "update"};
}

void known(JsonWriter& json, std::string_view name, const std::string& value) {
    json.key(name);
    if (value.empty()) {
        json.null();
    } else {
        json.value(value);
    }
}

}  // namespace

std::string webhook_body(const ToldChange& change) {
    const auto [event, action] = words_of(change.kind);
    JsonWriter json;
    json.object().member("event", event).key("data").object();
    json.member("objectType", "object").member("action", action).member_raw("object", change.object);
    json.member("objectUuid", change.uuid);
    known(json, "register", change.register_id);
    known(json, "schema", change.schema_id);
    json.member("timestamp", change.at).end();
    json.member("timestamp", change.at).end();
    return std::move(json).text();
}

std::string bare_object(const std::string& uuid, const std::string& register_id, const std::string& schema_id) {
    JsonWriter json;
    json.object().key("@self").object().member("id", uuid);
    known(json, "register", register_id);
    known(json, "schema", schema_id);
    json.end().member("id", uuid).end();
    return std::move(json).text();
}

}  // namespace orbridge::openregister
