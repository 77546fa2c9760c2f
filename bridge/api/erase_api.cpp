#include "bridge/api/erase_api.h"

#include <variant>

#include "bridge/api/bodies.h"
#include "bridge/core/json.h"
#include "bridge/receive/error_answer.h"

namespace orbridge {
namespace {

constexpr std::size_t kTextLeast = 3;

/// What is wrong is told with the field's name. An unknown one too: `dryrun` would erase.
std::variant<ErasureOrder, Answer> read_order(const Json& root) {
    const auto wrong = [](const std::string& field, const std::string& what) {
        return error_answer(400, "invalid", field + ": " + what, field);
    };
    ErasureOrder order;
    for (const auto& member : root.members()) {
        const bool is_text = member.value.is_string() && !member.value.string()->empty();
        if (member.key == "subject" || member.key == "source") {
            if (!is_text) return wrong(member.key, "expected a text that is not empty");
            (member.key == "subject" ? order.subject : order.source) = *member.value.string();
        } else if (member.key == "dry_run") {
            if (!member.value.boolean()) return wrong("dry_run", "expected true or false");
            order.dry_run = *member.value.boolean();
        } else if (member.key == "text") {
            if (!is_text || member.value.string()->size() < kTextLeast)
                return wrong("text", "expected a text of " + std::to_string(kTextLeast) + " bytes at least");
            order.text = *member.value.string();
        } else {
            return wrong(member.key, "unknown, expected subject, source, text or dry_run");
        }
    }
    if (order.subject.empty()) return wrong("subject", "missing, expected what the events are about");
    return order;
}

void write_erasure(JsonWriter& json, const Erasure& erasure, std::uint64_t replays, bool dry_run) {
    json.object().member("name", erasure.name).member("dry_run", dry_run).member("events", erasure.events);
    json.member("without_subject", erasure.without_subject).member("searched", erasure.searched);
    json.member("replays", replays);
    json.member("deliveries_cancelled", erasure.deliveries).member("attempts", erasure.attempts);
    json.member("jobs", erasure.jobs).member("snapshots", erasure.snapshots).member("audit_rows", erasure.audit);
    if (!dry_run) json.member("overwritten", erasure.flushed);
    json.end();
}

}  // namespace

Answer EraseApi::erase(const InboundRequest& request) {
    if (auto refusal = parts_.refuse(request)) return *refusal;
    const auto document = object_of(request.body);
    if (!document) return error_answer(400, "malformed", kNoObject);
    const auto read = read_order((*document)->root());
    if (const auto* fault = std::get_if<Answer>(&read)) return *fault;
    const auto& order = std::get<ErasureOrder>(read);
    // Before the store's part, which ends with overwriting what was removed.
    const auto replays = order.dry_run ? parts_.replays.naming(order.subject)
                                       : parts_.replays.forget(order.subject, erased_name(order.subject));
    if (!replays) return error_answer(replays.error());
    const auto erasure = parts_.store.erase(order, parts_.clock.now());
    if (!erasure) return error_answer(erasure.error());
    if (!order.dry_run) {
        parts_.log.info("admin.erase", {{"name", erasure->name}, {"events", erasure->events}});
        parts_.audit.note(kAdmin, "subject.erase", erasure->name,
                          {{"source", order.source},
                           {"events", erasure->events},
                           {"replays", *replays},
                           {"deliveries_cancelled", erasure->deliveries},
                           {"snapshots", erasure->snapshots}});
        parts_.wake(erasure->woken);
    }
    JsonWriter json;
    write_erasure(json, *erasure, *replays, order.dry_run);
    return {.status = 200, .body = std::move(json).text()};
}

}  // namespace orbridge
